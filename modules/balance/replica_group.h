// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaGroup: the replicas among which one policy picks: of one revision and one rank (primary or
// backup), with weight above 0. It draws by configured weight in constant time; it does not know
// who is eligible. Neighbours: ballot.h, policy.h.

#include <cstdint>
#include <vector>

#include "daemon/base/random.h"
#include "daemon/module/pool.h"

namespace limpet::balance {

/// Some replicas of a pool.
/// Borrows: the pool. Thread: immutable.
class ReplicaGroup {
 public:
  /// `members` are places in the pool's list, each with a weight above 0.
  ReplicaGroup(const PoolFacts& pool, std::vector<std::uint32_t> members);

  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(members_.size());
  }
  [[nodiscard]] const Replica& at(std::uint32_t i) const noexcept {
    return pool_->replicas[members_[i]];
  }
  [[nodiscard]] bool has_equal_weights() const noexcept { return alias_.empty(); }
  [[nodiscard]] double mean_weight() const noexcept { return mean_weight_; }
  /// One of them by chance, in proportion to the weights; the group is not empty.
  /// Cost: constant, whatever the size.
  [[nodiscard]] const Replica& draw(Random& random) const noexcept {
    std::uint32_t i = random.below(size());
    if (!alias_.empty() && static_cast<std::uint32_t>(random.next() >> 32) >= alias_[i].keep) {
      i = alias_[i].other;
    }
    return at(i);
  }

 private:
  /// Walker's alias method: a place is kept with a chance of keep / 2^32, else `other` is taken.
  struct Alias {
    std::uint32_t keep = UINT32_MAX;
    std::uint32_t other = 0;
  };
  void make_alias();

  const PoolFacts* pool_;
  std::vector<std::uint32_t> members_;
  std::vector<Alias> alias_;  // empty where all weights are equal
  double mean_weight_ = 1;
};

}  // namespace limpet::balance
