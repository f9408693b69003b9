// SPDX-License-Identifier: Apache-2.0
// Sessions: of all, the one with the fewest live sessions for its weight, so that a new replica is
// not kept cold by old sessions.
#include "modules/balance/policy.h"

namespace limpet::balance {
namespace {

class Sessions final : public Policy {
 public:
  using Policy::Policy;

  const Replica* pick(const Ballot& ballot) override {
    return ballot.least(group(), [&](const Replica& replica) {
      return static_cast<double>(ballot.sessions(replica));
    });
  }
};

}  // namespace

std::unique_ptr<Policy> make_sessions(const ReplicaGroup& group) {
  return std::make_unique<Sessions>(group);
}

}  // namespace limpet::balance
