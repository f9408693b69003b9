// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/replica_table.h"

#include <algorithm>
#include <cmath>

#include "daemon/base/hash.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

namespace {

constexpr std::uint64_t kValueSeed = 0x6c696d7065747661;
constexpr std::uint64_t kRevisionSeed = 0x6c696d7065747276;

constexpr double kLoadFactor = 1.25;
// A key may always have a few requests at once; only then does the bound scatter it.
constexpr double kLoadFloor = 4;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t z = a ^ (b * 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// Weighted rendezvous: of independent u in (0, 1), the largest weight / -ln(u) is at i with
// probability weight_i / sum, and removing one replica changes no other's score.
double score(double weight, std::uint64_t mixed) noexcept {
  const double u = (static_cast<double>(mixed >> 11) + 0.5) * 0x1.0p-53;
  return weight / -std::log(u);
}

double share_of(const PoolFacts& pool, std::string_view revision) noexcept {
  for (const auto& [name, share] : pool.revisions) {
    if (name == revision) return share;
  }
  return 0;
}

}  // namespace

ReplicaTable::ReplicaTable(const PoolFacts& pool) : has_revisions_(!pool.revisions.empty()) {
  entries_.reserve(pool.replicas.size());
  for (const Replica& replica : pool.replicas) {
    Entry entry;
    entry.mark = replica_mark(replica.id);
    entry.revision_mark = stable_hash(replica.revision, kRevisionSeed);
    entry.weight = replica.weight;
    if (has_revisions_) entry.revision_share = share_of(pool, replica.revision);
    entry.is_backup = replica.is_backup;
    index_by_mark_.emplace(entry.mark, static_cast<std::uint32_t>(entries_.size()));
    entries_.push_back(entry);
  }
}

ReplicaTable::Rank ReplicaTable::rank_of(std::uint32_t index, std::uint64_t key) const noexcept {
  const Entry& entry = entries_[index];
  Rank rank;
  rank.is_primary = !entry.is_backup;
  if (has_revisions_) rank.revision = score(entry.revision_share, mix(key, entry.revision_mark));
  rank.replica = score(entry.weight, mix(key, entry.mark));
  return rank;
}

std::uint32_t ReplicaTable::first_with_room(std::uint64_t key, const Candidates& candidates) const {
  const auto is_eligible = [&](std::uint32_t i) {
    return i < candidates.size() && candidates.is_eligible(candidates.at(i));
  };
  double weights = 0;
  double in_flight = 1;  // the request to be placed
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    if (!is_eligible(i)) continue;
    weights += entries_[i].weight;
    in_flight += candidates.at(i).vitals->in_flight();
  }
  const std::uint32_t found = first_of(key, [&](std::uint32_t i) {
    if (!is_eligible(i)) return false;
    const double fair = in_flight * entries_[i].weight / weights;
    const double bound = std::max(kLoadFloor, std::ceil(kLoadFactor * fair));
    return candidates.at(i).vitals->in_flight() + 1 <= bound;
  });
  return found != kNoReplica ? found : first_of(key, is_eligible);
}

std::string ReplicaTable::collision(const PoolFacts& pool) {
  std::unordered_map<std::uint64_t, const Replica*> seen;
  for (const Replica& replica : pool.replicas) {
    const auto [at, is_new] = seen.emplace(replica_mark(replica.id), &replica);
    if (!is_new && at->second->id != replica.id) {
      return "the replica ids \"" + at->second->id + "\" and \"" + replica.id +
             "\" have the same mark in affinity tokens; rename one of them";
    }
  }
  return {};
}

std::uint64_t key_of(std::string_view value) noexcept { return stable_hash(value, kValueSeed); }

}  // namespace limpet::affinity
