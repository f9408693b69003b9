// SPDX-License-Identifier: Apache-2.0
#pragma once
// PoolFacts: what modules may know of a pool: its name, its replicas, its revision weights.
// Immutable, part of a snapshot. Candidates (candidates.h) is the view of it for one choice.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/module/replica.h"

namespace limpet {

/// One pool of a snapshot.
/// Lifetime: its snapshot's; replicas never move.
struct PoolFacts {
  std::string name;
  std::vector<Replica> replicas;
  std::unordered_map<std::string_view, std::uint32_t> index_by_id;  ///< views into replicas[i].id
  std::vector<std::pair<std::string, std::uint32_t>>
      revisions;                     ///< revision and its share of new sessions; empty = no rule
  bool forwards_client_host = true;  ///< forward_host = "client"

  [[nodiscard]] const Replica* find(std::string_view id) const noexcept {
    const auto at = index_by_id.find(id);
    return at == index_by_id.end() ? nullptr : &replicas[at->second];
  }
};

}  // namespace limpet
