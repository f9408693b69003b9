// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/carry_guard.h"

#include <algorithm>

namespace limpet::mcp {

namespace {

// So many turns may be taken at once after a quiet time: those of a quarter of a second.
constexpr std::uint32_t kBurstsPerSecond = 4;

}  // namespace

std::string_view name_of(CarryEnd end) noexcept {
  static constexpr std::array<std::string_view, kCarryEnds> kNames = {
      "carried",   "off",       "ended",   "unknown", "principal", "credentials",
      "different", "stateless", "refused", "failed",  "rate",      "no-replica"};
  return kNames[static_cast<std::size_t>(end)];
}

// A bucket of tokens as one instant: that at which it would be full again is never further away
// than what may be waited for.
Instant CarryGuard::take_turn(Instant now, Instant& room_at) {
  if (bounds_.per_second == 0) return now;
  const Duration step = Duration(std::chrono::seconds(1)) / bounds_.per_second;
  const Duration burst = step * std::max(1U, bounds_.per_second / kBurstsPerSecond);
  const std::lock_guard lock(rate_mutex_);
  const Instant earliest = now - burst + step;
  const Instant turn = std::max(next_turn_, earliest);
  const Instant begin = std::max(turn, now);
  if (begin - now > bounds_.wait_max) {
    room_at = begin - bounds_.wait_max;
    return kNever;
  }
  next_turn_ = turn + step;
  return begin;
}

CarryTurn CarryGuard::ask(std::string_view id, CarryWaiter* waiter, Instant now) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.flights.find(id);
  if (at != shard.flights.end() && at->second.dead_at > now) {
    auto& waiters = at->second.waiters;
    if (waiter != nullptr && std::find(waiters.begin(), waiters.end(), waiter) == waiters.end())
      waiters.push_back(waiter);
    return {CarryTurn::Kind::kFollow, at->second.dead_at};
  }
  Instant room_at{};
  const Instant begin = take_turn(now, room_at);
  if (begin == kNever) return {CarryTurn::Kind::kRefuse, room_at};
  // The followers of a leader that died wait for the next one.
  Flight& flight = shard.flights[std::string(id)];
  flight.dead_at = begin + bounds_.flight_max;
  return {CarryTurn::Kind::kLead, begin};
}

void CarryGuard::end(std::string_view id, CarryEnd how) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.flights.find(id);
  if (at == shard.flights.end()) return;
  for (CarryWaiter* waiter : at->second.waiters)
    waiter->on_carried(how);
  shard.flights.erase(at);
}

void CarryGuard::leave(std::string_view id, CarryWaiter& waiter) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.flights.find(id);
  if (at != shard.flights.end()) std::erase(at->second.waiters, &waiter);
}

std::size_t CarryGuard::in_flight() {
  std::size_t total = 0;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.flights.size();
  }
  return total;
}

}  // namespace limpet::mcp
