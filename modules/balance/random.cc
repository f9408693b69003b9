// SPDX-License-Identifier: Apache-2.0
// Random: by chance, in proportion to the weights.
#include "modules/balance/policy.h"

namespace limpet::balance {
namespace {

class RandomPolicy final : public Policy {
 public:
  using Policy::Policy;

  const Replica* pick(const Ballot& ballot) override { return ballot.draw(group()); }
};

}  // namespace

std::unique_ptr<Policy> make_random(const ReplicaGroup& group) {
  return std::make_unique<RandomPolicy>(group);
}

}  // namespace limpet::balance
