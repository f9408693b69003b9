// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaTable: a pool's replicas by the marks that tokens carry, and the order in which a value's
// hash prefers them (weighted rendezvous, the same in every worker, process and after every change
// that leaves a replica in place). It knows no vitals: who is up is asked of Candidates.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/module/candidates.h"
#include "daemon/module/pool.h"

namespace limpet::affinity {

inline constexpr std::uint32_t kNoReplica = UINT32_MAX;

/// Copies of what it needs of a pool.
/// Thread: immutable once made.
class ReplicaTable {
 public:
  explicit ReplicaTable(const PoolFacts& pool);

  /// The index of the replica with that mark, or kNoReplica.
  [[nodiscard]] std::uint32_t index_of(std::uint64_t mark) const noexcept {
    const auto at = index_by_mark_.find(mark);
    return at == index_by_mark_.end() ? kNoReplica : at->second;
  }
  [[nodiscard]] std::uint64_t mark_of(std::uint32_t index) const noexcept {
    return entries_[index].mark;
  }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  /// The first replica in the order of `key` that `may_take(index)` agrees to, or kNoReplica.
  /// Replicas of weight 0 are in no order. Where the pool splits new sessions over revisions, so
  /// are keys; backups come last. Cost: one logarithm a replica.
  template <typename MayTake>
  [[nodiscard]] std::uint32_t first_of(std::uint64_t key, MayTake&& may_take) const {
    Rank best;
    std::uint32_t found = kNoReplica;
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].weight == 0) continue;
      const Rank rank = rank_of(i, key);
      if ((found == kNoReplica || best < rank) && may_take(i)) {
        best = rank;
        found = i;
      }
    }
    return found;
  }

  /// The first eligible replica in the order of `key` that has less than 1.25 times its fair part
  /// of the requests in flight on those eligible, so that a few busy keys do not bury one replica;
  /// kNoReplica where none is eligible. Cost: two looks at each replica.
  [[nodiscard]] std::uint32_t first_with_room(std::uint64_t key,
                                              const Candidates& candidates) const;

  /// Two replica ids whose marks are the same, as a sentence; empty where there are none.
  [[nodiscard]] static std::string collision(const PoolFacts& pool);

 private:
  struct Entry {
    std::uint64_t mark = 0;
    std::uint64_t revision_mark = 0;
    double weight = 0;
    double revision_share = 1;
    bool is_backup = false;
  };
  /// Larger is better: primaries before backups, then the key's revision, then the key's replica.
  struct Rank {
    bool is_primary = false;
    double revision = 0;
    double replica = 0;
    auto operator<=>(const Rank&) const = default;
  };
  [[nodiscard]] Rank rank_of(std::uint32_t index, std::uint64_t key) const noexcept;

  std::vector<Entry> entries_;
  std::unordered_map<std::uint64_t, std::uint32_t> index_by_mark_;
  bool has_revisions_ = false;
};

/// The hash of an affinity value that first_of() takes.
[[nodiscard]] std::uint64_t key_of(std::string_view value) noexcept;

}  // namespace limpet::affinity
