// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/replica_book.h"

#include "daemon/base/log.h"

namespace limpet {

namespace {

AdminState wished(ReplicaState state) {
  switch (state) {
    case ReplicaState::kReady:
      return AdminState::kReady;
    case ReplicaState::kDrain:
      return AdminState::kDrain;
    case ReplicaState::kDown:
      return AdminState::kDown;
  }
  return AdminState::kReady;
}

void restore_sessions(const SavedReplica& saved, WorkerShare& share) {
  for (const auto& [bucket, count] : saved.sessions)
    share.sessions.add(bucket, count);
  for (const auto& [bucket, count] : saved.sessions_by_id)
    share.sessions_by_id.add(bucket, count);
}

// What holds of a replica across processes, where it is the same one.
void restore(const SavedReplica& saved, Instant now, WallSeconds wall, Vitals& vitals) {
  vitals.last_dead_s.store(saved.last_dead_s, std::memory_order_relaxed);
  vitals.incarnation.store(saved.incarnation, std::memory_order_relaxed);
  const std::chrono::seconds left(saved.ejected_until_s - wall.time_since_epoch().count());
  if (left > std::chrono::seconds(0)) {
    vitals.ejected_until_ns.store((now + left).time_since_epoch().count(),
                                  std::memory_order_relaxed);
  }
  restore_sessions(saved, vitals.share(0));
}

}  // namespace

void ReplicaBook::recall(SavedReplicas saved) {
  recalled_at_ = saved.when;
  for (SavedReplica& replica : saved.replicas) {
    Name name(replica.pool, replica.id);
    recalled_.insert_or_assign(std::move(name), std::move(replica));
  }
}

const SavedReplica* ReplicaBook::recalled(const Name& name) const {
  const auto at = recalled_.find(name);
  return at == recalled_.end() ? nullptr : &at->second;
}

// The file's word; but what an operator said to an earlier process stands while the file says what
// it said then.
AdminState ReplicaBook::first_state(const Name& name, const ReplicaModel& model) const {
  const SavedReplica* saved = recalled(name);
  const bool is_same = saved != nullptr && saved->written == wished(model.state) &&
                       saved->address == model.address.print();
  if (!is_same || saved->admin == saved->written) return wished(model.state);
  log::info("replica was set by hand before limpet was started, and still is",
            {{"pool", name.first}, {"replica", name.second}, {"state", word_of(saved->admin)}});
  return saved->admin;
}

SavedReplicas ReplicaBook::to_save(Instant now, WallSeconds wall) const {
  SavedReplicas saved{wall, {}};
  const std::uint32_t bucket = session_bucket(wall);
  for (const auto& [name, record] : records_) {
    if (record.left_at != kNever || record.vitals == nullptr) continue;
    const Vitals& vitals = *record.vitals;
    SavedReplica replica;
    replica.pool = name.first;
    replica.id = name.second;
    replica.address = record.model.address.print();
    replica.written = wished(record.model.state);
    replica.admin = vitals.admin.load(std::memory_order_relaxed);
    replica.health = vitals.health.load(std::memory_order_relaxed);
    const Duration ejected(std::chrono::nanoseconds(vitals.ejected_until_ns.load()) -
                           now.time_since_epoch());
    if (ejected > Duration::zero()) {
      replica.ejected_until_s =
          (wall + std::chrono::ceil<std::chrono::seconds>(ejected)).time_since_epoch().count();
    }
    replica.last_dead_s = vitals.last_dead_s.load(std::memory_order_relaxed);
    replica.incarnation = vitals.incarnation.load(std::memory_order_relaxed);
    replica.sessions = saved_sessions(vitals, &WorkerShare::sessions, bucket);
    replica.sessions_by_id = saved_sessions(vitals, &WorkerShare::sessions_by_id, bucket);
    saved.replicas.push_back(std::move(replica));
  }
  return saved;
}

ReplicaBook::Entry ReplicaBook::enter(const std::string& pool, const ReplicaModel& replica,
                                      WallSeconds now) {
  auto [at, is_new] = records_.try_emplace({pool, replica.id});
  Record& record = at->second;
  if (is_new || !(record.model.address == replica.address)) {
    // The same name at another address is another life: its memory is not the one that tokens speak
    // of.
    record.fresh_vitals = std::make_shared<Vitals>(workers_);
    record.is_fresh = is_new;
  }
  record.is_entered = true;
  record.entered_model = replica;
  Entry entry{record.fresh_vitals ? record.fresh_vitals : record.vitals,
              record.fresh_vitals != nullptr, false};
  const SavedReplica* saved = is_new ? recalled(at->first) : nullptr;
  const bool is_elsewhere =
      is_new ? saved != nullptr && saved->address != replica.address.print() : entry.is_new;
  if (is_elsewhere) {
    entry.vitals->note_death(now);
  } else if (saved != nullptr) {
    restore(*saved, monotonic_now(), now, *entry.vitals);
    entry.was_down = saved->health == Health::kDown && now - recalled_at_ < kHealthHolds;
  }
  return entry;
}

std::vector<ReplicaModel> ReplicaBook::end_round(const std::string& pool, Instant now,
                                                 WallSeconds wall, Sessions sessions) {
  std::vector<ReplicaModel> leaving;
  for (auto& [key, record] : records_) {
    if (key.first != pool || record.is_entered || record.is_fresh) continue;
    const Instant left_at = record.left_at == kNever ? now : record.left_at;
    record.sessions = sessions;
    record.is_named = !is_done(record, left_at, now, wall);
    if (!record.is_named) continue;
    leaving.push_back(record.model);
    leaving.back().state = ReplicaState::kDrain;
  }
  return leaving;
}

std::shared_ptr<Vitals> ReplicaBook::vitals_of(const std::string& pool,
                                               const std::string& id) const {
  const auto at = records_.find({pool, id});
  return at == records_.end() ? nullptr : at->second.vitals;
}

void ReplicaBook::abandon_rounds() {
  std::erase_if(records_, [](const auto& entry) { return entry.second.is_fresh; });
  for (auto& [key, record] : records_) {
    record.is_entered = record.is_named = false;
    record.fresh_vitals = nullptr;
  }
}

void ReplicaBook::commit_rounds(Instant now, WallSeconds wall) {
  for (auto at = records_.begin(); at != records_.end();) {
    Record& record = at->second;
    if (record.is_entered) {
      // The file's word counts when it changes; until then what was said at run time stands.
      const bool has_new_word = record.fresh_vitals || record.left_at != kNever ||
                                record.model.state != record.entered_model.state;
      if (record.fresh_vitals) record.vitals = std::move(record.fresh_vitals);
      record.model = record.entered_model;
      if (has_new_word)
        record.vitals->admin.store(first_state(at->first, record.model), std::memory_order_relaxed);
      record.left_at = kNever;
      record.is_shown = false;
    } else {
      if (record.left_at == kNever) {
        record.left_at = now;
        record.vitals->admin.store(AdminState::kDrain, std::memory_order_relaxed);
      }
      // One that the snapshot shows stays, even if it is done by now: has_departed() has to see it.
      record.is_shown = record.is_named;
      if (!record.is_shown && is_done(record, record.left_at, now, wall)) {
        at = records_.erase(at);
        continue;
      }
    }
    record.is_entered = record.is_fresh = record.is_named = false;
    record.fresh_vitals = nullptr;
    ++at;
  }
  recalled_.clear();
}

bool ReplicaBook::is_done(const Record& record, Instant left_at, Instant now, WallSeconds wall) {
  if (now - left_at >= kGrace) return true;
  const bool is_dead =
      record.vitals->health.load(std::memory_order_relaxed) == Health::kDown ||
      record.vitals->last_dead_s.load(std::memory_order_relaxed) >=
          wall.time_since_epoch().count() - (now - left_at) / std::chrono::seconds(1);
  const bool has_sessions =
      record.sessions == Sessions::kKept && record.vitals->live_sessions(session_bucket(wall)) > 0;
  return record.vitals->in_flight() == 0 && (is_dead || !has_sessions);
}

bool ReplicaBook::has_departed(Instant now, WallSeconds wall) const {
  for (const auto& [key, record] : records_) {
    if (record.is_shown && is_done(record, record.left_at, now, wall)) return true;
  }
  return false;
}

}  // namespace limpet
