// SPDX-License-Identifier: Apache-2.0
// Two choices: draw two by weight, take the one that will likely answer sooner: fewer requests in
// flight, times latency. Two draws are nearly as good as a look at all, and workers that know
// little of each other do not all run to the same replica.
#include <algorithm>

#include "modules/balance/policy.h"

namespace limpet::balance {
namespace {

constexpr std::uint32_t kNoiseUs = 5000;

class TwoChoices final : public Policy {
 public:
  using Policy::Policy;

  const Replica* pick(const Ballot& ballot) override {
    const Replica* first = ballot.draw(group());
    if (first == nullptr || group().size() == 1) return first;
    const Replica* second = ballot.draw_other(group(), *first);
    return second != nullptr && is_better(ballot, *second, *first) ? second : first;
  }

 private:
  bool is_better(const Ballot& ballot, const Replica& a, const Replica& b) const noexcept {
    std::uint32_t latency_a = ballot.latency_us(a);
    std::uint32_t latency_b = ballot.latency_us(b);
    // Within a factor of two, or a few milliseconds, latencies are noise: they would pull all
    // traffic to one of two like replicas, against the weights. And nothing is compared with
    // nothing known.
    const std::uint32_t slow = std::max(latency_a, latency_b);
    const std::uint32_t fast = std::min(latency_a, latency_b);
    if (fast == 0 || slow <= 2 * std::uint64_t{fast} || slow - fast <= kNoiseUs)
      latency_a = latency_b = 1;
    return (load(ballot, a) + 1) * latency_a < (load(ballot, b) + 1) * latency_b;
  }

  // Requests in flight for a replica of mean weight; idle replicas are equal, so that the draw
  // decides by weight.
  double load(const Ballot& ballot, const Replica& replica) const noexcept {
    return replica.vitals->in_flight() * group().mean_weight() / ballot.weight(replica);
  }
};

}  // namespace

std::unique_ptr<Policy> make_two_choices(const ReplicaGroup& group) {
  return std::make_unique<TwoChoices>(group);
}

}  // namespace limpet::balance
