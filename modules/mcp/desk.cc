// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/desk.h"

#include <algorithm>
#include <utility>

#include "daemon/base/hash.h"

namespace limpet::mcp {

namespace {

constexpr std::chrono::seconds kDeleteWithin{5};

}  // namespace

WallSeconds birth_second(const Desk& desk, const Replica& replica) noexcept {
  const std::chrono::seconds dead(replica.vitals->last_dead_s.load(std::memory_order_relaxed));
  return std::max(desk.worker.wall_now(), WallSeconds(dead) + std::chrono::seconds(1));
}

SessionHome home_on(const Desk& desk, const Replica& replica, std::string_view original_id) {
  SessionHome home;
  home.replica = replica.id;
  home.original_id = original_id;
  home.since = birth_second(desk, replica);
  home.incarnation = replica.vitals->incarnation.load(std::memory_order_relaxed);
  return home;
}

void note_living(SessionStore& store, const Replica& replica, WallSeconds now) {
  replica.vitals->note_listed(session_bucket(now),
                              static_cast<std::uint32_t>(store.count_on(replica.id)));
}

void note_left(const Desk& desk, std::string_view replica_id) {
  const Replica* replica = desk.pool.find(replica_id);
  if (replica != nullptr &&
      replica->vitals->admin.load(std::memory_order_relaxed) == AdminState::kDrain)
    note_living(desk.state.store, *replica, desk.worker.wall_now());
}

std::string mark_of(std::string_view session_id) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::uint64_t hash = stable_hash(session_id);
  std::string mark(12, '0');
  for (char& c : mark) {
    c = kDigits[hash & 15U];
    hash >>= 4U;
  }
  return mark;
}

void send_delete(Desk& desk, const Replica& replica, std::string_view target,
                 std::string_view authority,
                 std::vector<std::pair<std::string, std::string>> fields) {
  if (desk.worker.calls() == nullptr) return;
  CallRequest request;
  request.pool = &desk.pool;
  request.replica = &replica;
  request.method = Method::kDelete;
  request.method_text = "DELETE";
  request.authority = desk.pool.forwards_client_host ? authority : std::string_view{};
  request.target = target;
  request.fields = std::move(fields);
  request.head_within = kDeleteWithin;
  request.silence_max = kDeleteWithin;
  desk.farewells.send(*desk.worker.calls(), std::move(request));
}

}  // namespace limpet::mcp
