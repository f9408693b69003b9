// SPDX-License-Identifier: Apache-2.0
#include "modules/balance/replica_group.h"

#include <algorithm>
#include <utility>

namespace limpet::balance {

ReplicaGroup::ReplicaGroup(const PoolFacts& pool, std::vector<std::uint32_t> members)
    : pool_(&pool), members_(std::move(members)) {
  if (members_.empty()) return;
  double sum = 0;
  for (std::uint32_t i = 0; i < size(); ++i)
    sum += at(i).weight;
  mean_weight_ = sum / size();
  const bool are_equal = std::all_of(members_.begin(), members_.end(), [&](std::uint32_t member) {
    return pool.replicas[member].weight == at(0).weight;
  });
  if (!are_equal) make_alias();
}

void ReplicaGroup::make_alias() {
  alias_.resize(members_.size());
  std::vector<double> share(members_.size());  // 1 = exactly its fair part
  std::vector<std::uint32_t> small, large;
  for (std::uint32_t i = 0; i < size(); ++i) {
    share[i] = at(i).weight / mean_weight_;
    alias_[i].other = i;
    (share[i] < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t poor = small.back();
    const std::uint32_t rich = large.back();
    small.pop_back();
    alias_[poor] = {static_cast<std::uint32_t>(share[poor] * 0x1p32), rich};
    share[rich] -= 1 - share[poor];
    if (share[rich] >= 1) continue;
    large.pop_back();
    small.push_back(rich);
  }
}

}  // namespace limpet::balance
