// SPDX-License-Identifier: Apache-2.0
#include "modules/balance/ballot.h"

#include <algorithm>

namespace limpet::balance {
namespace {

constexpr double kShareMin = 0.1;
constexpr int kTries = 8;
constexpr int kTriesForOther = 4;

}  // namespace

double Ballot::share(const Replica& replica) const noexcept {
  const std::int64_t since = replica.vitals->ready_since_ns.load(std::memory_order_relaxed);
  if (since == 0 || tools_.settings.slow_start <= Duration{0}) return 1;
  const double passed = static_cast<double>(candidates_.now().time_since_epoch().count() - since);
  const double part = passed / static_cast<double>(tools_.settings.slow_start.count());
  return std::clamp(kShareMin + (1 - kShareMin) * part, kShareMin, 1.0);
}

const Replica* Ballot::draw(const ReplicaGroup& group) const noexcept {
  if (group.size() == 0) return nullptr;
  const Replica* spare = nullptr;
  for (int i = 0; i < kTries; ++i) {
    const Replica& replica = group.draw(random());
    if (!is_eligible(replica)) continue;
    const double share_now = share(replica);
    if (share_now >= 1 || random().fraction() < share_now) return &replica;
    spare = &replica;
  }
  return spare != nullptr ? spare : walk(group);
}

const Replica* Ballot::draw_other(const ReplicaGroup& group, const Replica& except) const noexcept {
  for (int i = 0; i < kTriesForOther; ++i) {
    const Replica& replica = group.draw(random());
    if (&replica == &except || !is_eligible(replica)) continue;
    const double share_now = share(replica);
    if (share_now >= 1 || random().fraction() < share_now) return &replica;
  }
  return nullptr;
}

const Replica* Ballot::walk(const ReplicaGroup& group) const noexcept {
  return least(group, [](const Replica&) { return 0.0; });
}

}  // namespace limpet::balance
