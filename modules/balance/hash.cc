// SPDX-License-Identifier: Apache-2.0
// Hash: rendezvous placement: each replica scores the key, the best score wins. Every worker and
// instance agrees, and when a replica comes or goes only its own keys move. No replica takes more
// than 1.25 times its fair part of what is in flight: then the next best does.
#include "daemon/base/hash.h"

#include <cmath>
#include <limits>
#include <vector>

#include "modules/balance/policy.h"

namespace limpet::balance {
namespace {

constexpr double kLoadFactor = 1.25;
// A key may always have a few requests at once; only then does the bound scatter it.
constexpr double kLoadFloor = 4;

std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

class Hash final : public Policy {
 public:
  Hash(const ReplicaGroup& group, const HashKey& key) : Policy(group), key_(key) {
    for (std::uint32_t i = 0; i < group.size(); ++i)
      seeds_.push_back(stable_hash(group.at(i).id));
    eligible_.reserve(group.size());
  }

  const Replica* pick(const Ballot& ballot) override {
    const std::string_view key = key_.of(ballot.exchange());
    if (key.empty()) return ballot.draw(group());  // else all requests without one would meet
    look_at_all(ballot, stable_hash(key));
    const Scored* best = nullptr;
    const Scored* best_with_room = nullptr;
    for (const Scored& scored : eligible_) {
      if (best == nullptr || scored.distance < best->distance) best = &scored;
      if (scored.in_flight + 1 > bound(scored)) continue;
      if (best_with_room == nullptr || scored.distance < best_with_room->distance) {
        best_with_room = &scored;
      }
    }
    if (best_with_room != nullptr) best = best_with_room;
    return best == nullptr ? nullptr : best->replica;
  }

 private:
  struct Scored {
    const Replica* replica;
    double distance;  // the least wins
    double weight;
    double in_flight;
  };

  void look_at_all(const Ballot& ballot, std::uint64_t key) {
    eligible_.clear();
    weight_sum_ = in_flight_sum_ = 0;
    for (std::uint32_t i = 0; i < group().size(); ++i) {
      const Replica& replica = group().at(i);
      if (!ballot.is_eligible(replica)) continue;
      const double weight = ballot.weight(replica);
      const double in_flight = replica.vitals->in_flight();
      // A number in (0, 1); its negative logarithm over the weight makes shares proportional to
      // weights.
      const double u = (static_cast<double>(mix(key ^ seeds_[i]) >> 11) + 0.5) * 0x1p-53;
      eligible_.push_back({&replica, -std::log(u) / weight, weight, in_flight});
      weight_sum_ += weight;
      in_flight_sum_ += in_flight;
    }
  }

  [[nodiscard]] double bound(const Scored& scored) const noexcept {
    const double fair = (in_flight_sum_ + 1) * scored.weight / weight_sum_;
    return std::max(kLoadFloor, std::ceil(kLoadFactor * fair));
  }

  const HashKey& key_;
  std::vector<std::uint64_t> seeds_;
  std::vector<Scored> eligible_;  // of the present pick; kept for its memory
  double weight_sum_ = 0;
  double in_flight_sum_ = 0;
};

}  // namespace

std::unique_ptr<Policy> make_hash(const ReplicaGroup& group, const HashKey& key) {
  return std::make_unique<Hash>(group, key);
}

}  // namespace limpet::balance
