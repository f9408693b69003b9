// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/caretaker.h"

#include <utility>
#include <vector>

#include "daemon/base/log.h"
#include "modules/mcp/stream_watch.h"

namespace limpet::mcp {

void Caretaker::on_tick(Instant now) {
  desk_.hands.activity.tell(now);
  note_draining(now);
  close_streams();
  if (desk_.worker.worker() != 0) return;
  reap(now);
  release_idle(now);
  count();
}

// Workers tell of use now and then only, so the reaper waits as much longer.
void Caretaker::reap(Instant now) {
  const Duration idle = desk_.settings.session_idle;
  if (idle == kForever) return;
  for (const IdleSession& session :
       desk_.state.store.idle_since(now, idle + SessionActivity::kTellEvery, kReapedMax)) {
    const Replica* replica = desk_.pool.find(session.home.replica);
    // Nobody keeps a client's credentials; where they were needed, the replica's own limit ends it.
    if (session.was_met_only) {
      desk_.state.store.forget(session.id);
      continue;
    }
    if (session.had_credential) {
      desk_.state.store.forget(session.id);
    } else {
      desk_.state.store.bury(session.id, now);
      if (desk_.shared != nullptr) desk_.shared->bury(session.id);
      if (replica != nullptr && replica->vitals->health.load() == Health::kUp) {
        std::vector<std::pair<std::string, std::string>> fields = {
            {"mcp-session-id", session.home.original_id}};
        if (!session.protocol_version.empty())
          fields.emplace_back("mcp-protocol-version", session.protocol_version);
        send_delete(desk_, *replica, session.target, {}, std::move(fields));
      }
    }
    desk_.numbers.note_ended(session.home.replica, SessionEnd::kReaped);
    log::info("a session was ended since nobody used it", {{"pool", desk_.pool.name},
                                                           {"session", mark_of(session.id)},
                                                           {"replica", session.home.replica}});
  }
}

void Caretaker::count() {
  const auto living = desk_.state.store.living();
  const std::uint32_t bucket = session_bucket(desk_.worker.wall_now());
  for (const Replica& replica : desk_.pool.replicas) {
    const auto at = living.find(replica.id);
    const std::uint64_t sessions = at == living.end() ? 0 : at->second;
    desk_.numbers.set_living(replica.id, sessions);
    replica.vitals->note_listed(bucket, static_cast<std::uint32_t>(sessions));
  }
  const StoreCounts counts = desk_.state.store.counts();
  desk_.numbers.set_stored("records", counts.records);
  desk_.numbers.set_stored("bytes", counts.bytes);
  desk_.numbers.set_stored("tombstones", counts.tombstones);
  desk_.numbers.set_stored("evicted", counts.evicted);
  desk_.numbers.set_stored("too_large", counts.too_large);
  const StoreCounts tasks = desk_.state.tasks.counts();
  desk_.numbers.set_tasks("entries", tasks.records);
  desk_.numbers.set_tasks("evicted", tasks.evicted);
  desk_.numbers.set_tasks("bound", desk_.state.tasks.tasks_max());
}

void Caretaker::note_draining(Instant now) {
  for (const Replica& replica : desk_.pool.replicas) {
    if (replica.vitals->admin.load(std::memory_order_relaxed) != AdminState::kDrain) {
      if (!drained_since_.empty()) drained_since_.erase(replica.id);
      if (!desk_.left_replicas.empty() && desk_.left_replicas.erase(replica.id) > 0)
        desk_.state.store.take_back(replica.id);
      continue;
    }
    const Instant since = drained_since_.emplace(replica.id, now).first->second;
    if (now >= deadline_after(since, desk_.settings.drain_after))
      desk_.left_replicas.insert(replica.id);
  }
}

// Nobody keeps a client's credentials, so an idle session can be opened elsewhere only by its next
// request; until then it lives nowhere, and the drained replica need not wait for it.
void Caretaker::release_idle(Instant now) {
  if (desk_.settings.carry_over == CarryPolicy::kOff) return;
  for (const std::string& replica : desk_.left_replicas) {
    const std::size_t released = desk_.state.store.release_idle(replica, now, kIdleForLeaving);
    if (released == 0) continue;
    const std::string count = std::to_string(released);
    log::info("idle sessions have left a drained replica; each is carried over by its next request",
              {{"pool", desk_.pool.name}, {"replica", replica}, {"sessions", count}});
  }
}

// A stream that is ended in order is opened anew by its client, and its session carried over then.
void Caretaker::close_streams() {
  if (desk_.left_replicas.empty() || desk_.settings.carry_over == CarryPolicy::kOff) return;
  std::vector<StreamWatch*> leaving;
  for (StreamWatch* stream : desk_.hands.streams) {
    const Replica* replica = stream->exchange().replica;
    if (replica != nullptr && desk_.left_replicas.find(replica->id) != desk_.left_replicas.end())
      leaving.push_back(stream);
  }
  for (StreamWatch* stream : leaving)
    static_cast<void>(stream->close_politely());
}

}  // namespace limpet::mcp
