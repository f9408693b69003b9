// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ballot: one choice of balance as a policy sees it: who may be picked, with what weight now, how
// loaded each is. Policies share the two ways of picking below: drawing by weight, and the least
// loaded of all. Neighbours: replica_group.h, policy.h.

#include <cstdint>

#include "daemon/base/random.h"
#include "daemon/module/candidates.h"
#include "modules/balance/latencies.h"
#include "modules/balance/replica_group.h"
#include "modules/balance/session_counts.h"
#include "modules/balance/settings.h"

namespace limpet::balance {

/// What balance lends to a ballot; its module's own.
struct BallotTools {
  const BalanceSettings& settings;
  Random& random;
  const Latencies& latencies;
  SessionCounts& sessions;
  WallSeconds wall;
};

/// One choice.
/// Borrows: everything. Lifetime: one select phase.
class Ballot {
 public:
  Ballot(const Candidates& candidates, const Exchange& exchange, const BallotTools& tools) noexcept
      : candidates_(candidates), exchange_(exchange), tools_(tools) {}

  [[nodiscard]] const Exchange& exchange() const noexcept { return exchange_; }
  [[nodiscard]] Random& random() const noexcept { return tools_.random; }

  [[nodiscard]] bool is_eligible(const Replica& replica) const noexcept {
    return candidates_.is_eligible(replica) && !is_over_sessions(replica);
  }
  [[nodiscard]] bool is_over_sessions(const Replica& replica) const noexcept {
    return tools_.settings.sessions_max > 0 && sessions(replica) >= tools_.settings.sessions_max;
  }
  [[nodiscard]] std::uint32_t sessions(const Replica& replica) const noexcept {
    return tools_.sessions.of(replica, candidates_.now(), tools_.wall);
  }
  [[nodiscard]] std::uint32_t latency_us(const Replica& replica) const noexcept {
    return tools_.latencies.trusted_us(replica, candidates_.now());
  }
  /// The part of its weight that a replica gets while it starts slowly: from 0.1 to 1.
  [[nodiscard]] double share(const Replica& replica) const noexcept;
  /// Weight × share.
  [[nodiscard]] double weight(const Replica& replica) const noexcept {
    return replica.weight * share(replica);
  }

  /// An eligible replica by chance, in proportion to the weights, or null where none is eligible.
  /// Cost: constant, as long as most replicas are eligible; then one walk through the group.
  [[nodiscard]] const Replica* draw(const ReplicaGroup& group) const noexcept;
  /// The same with a few tries only, never `except`; null where they all failed.
  [[nodiscard]] const Replica* draw_other(const ReplicaGroup& group,
                                          const Replica& except) const noexcept;
  /// The eligible replica with the least load(replica) / weight; among equals by chance, by weight.
  template <typename Load>
  [[nodiscard]] const Replica* least(const ReplicaGroup& group, Load load) const noexcept;

 private:
  [[nodiscard]] const Replica* walk(const ReplicaGroup& group) const noexcept;

  const Candidates& candidates_;
  const Exchange& exchange_;
  const BallotTools& tools_;
};

template <typename Load>
const Replica* Ballot::least(const ReplicaGroup& group, Load load) const noexcept {
  const Replica* best = nullptr;
  double best_load = 0;
  double tied_weight = 0;
  for (std::uint32_t i = 0; i < group.size(); ++i) {
    const Replica& replica = group.at(i);
    if (!is_eligible(replica)) continue;
    const double weight_now = weight(replica);
    const double load_now = load(replica) / weight_now;
    if (best == nullptr || load_now < best_load) {
      best = &replica;
      best_load = load_now;
      tied_weight = weight_now;
    } else if (load_now <= best_load) {
      tied_weight += weight_now;
      if (random().fraction() * tied_weight < weight_now) best = &replica;
    }
  }
  return best;
}

}  // namespace limpet::balance
