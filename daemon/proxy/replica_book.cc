// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/replica_book.h"

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

}  // namespace

ReplicaBook::Entry ReplicaBook::enter(const std::string& pool, const ReplicaModel& replica,
                                      WallSeconds now) {
  auto [at, is_new] = records_.try_emplace({pool, replica.id});
  Record& record = at->second;
  if (is_new || !(record.model.address == replica.address)) {
    // The same name at another address is another life: its memory is not the one that tokens speak
    // of.
    record.fresh_vitals = std::make_shared<Vitals>(workers_);
    if (!is_new) record.fresh_vitals->note_death(now);
    record.is_fresh = is_new;
  }
  record.is_entered = true;
  record.entered_model = replica;
  return {record.fresh_vitals ? record.fresh_vitals : record.vitals,
          record.fresh_vitals != nullptr};
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
        record.vitals->admin.store(wished(record.model.state), std::memory_order_relaxed);
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
