// SPDX-License-Identifier: Apache-2.0
// Round robin. With equal weights a walk around the group; otherwise turns by due time, each
// replica due again after 1 / weight, which spreads the turns of a heavy replica over the round. A
// worker begins somewhere, so that workers do not walk in step.
#include <algorithm>
#include <vector>

#include "modules/balance/policy.h"

namespace limpet::balance {
namespace {

class Walk final : public Policy {
 public:
  Walk(const ReplicaGroup& group, Random& random)
      : Policy(group), next_(random.below(group.size())) {}

  const Replica* pick(const Ballot& ballot) override {
    // Who is passed over has had its turn; so nobody inherits the turns of one that is down.
    const Replica* spare = nullptr;
    for (std::uint32_t i = 0; i < group().size(); ++i) {
      const Replica& replica = group().at(next_);
      next_ = next_ + 1 == group().size() ? 0 : next_ + 1;
      if (!ballot.is_eligible(replica)) continue;
      const double share = ballot.share(replica);
      if (share >= 1 || ballot.random().fraction() < share) return &replica;
      if (spare == nullptr) spare = &replica;
    }
    return spare;
  }

 private:
  std::uint32_t next_;
};

class DueTimes final : public Policy {
 public:
  DueTimes(const ReplicaGroup& group, Random& random) : Policy(group) {
    for (std::uint32_t i = 0; i < group.size(); ++i) {
      turns_.push_back({random.fraction() / group.at(i).weight, i});
    }
    std::make_heap(turns_.begin(), turns_.end());
  }

  const Replica* pick(const Ballot& ballot) override {
    for (std::uint32_t i = 0; i < group().size(); ++i) {
      std::pop_heap(turns_.begin(), turns_.end());
      Turn& turn = turns_.back();
      const Replica& replica = group().at(turn.member);
      turn.due += 1 / ballot.weight(replica);
      std::push_heap(turns_.begin(), turns_.end());
      if (ballot.is_eligible(replica)) return &replica;
    }
    // A heavy replica that is down may have come up each time; look at everybody before giving up.
    return ballot.draw(group());
  }

 private:
  struct Turn {
    double due;
    std::uint32_t member;
    bool operator<(const Turn& other) const noexcept { return due > other.due; }  // first = top
  };
  std::vector<Turn> turns_;
};

}  // namespace

std::unique_ptr<Policy> make_round_robin(const ReplicaGroup& group, Random& random) {
  if (group.has_equal_weights()) return std::make_unique<Walk>(group, random);
  return std::make_unique<DueTimes>(group, random);
}

}  // namespace limpet::balance
