// SPDX-License-Identifier: Apache-2.0
// Least requests: of all, the one with the fewest requests in flight for its weight.
#include "modules/balance/policy.h"

namespace limpet::balance {
namespace {

class LeastRequests final : public Policy {
 public:
  using Policy::Policy;

  const Replica* pick(const Ballot& ballot) override {
    return ballot.least(group(), [](const Replica& replica) {
      return static_cast<double>(replica.vitals->in_flight());
    });
  }
};

}  // namespace

std::unique_ptr<Policy> make_least_requests(const ReplicaGroup& group) {
  return std::make_unique<LeastRequests>(group);
}

}  // namespace limpet::balance
