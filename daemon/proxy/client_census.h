// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClientCensus: how many connections each client (a /32, or a /64 under IPv6) has with the whole process, for
// limits.connections_per_client. Asked at accept and close only, and only where that limit is set.

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "daemon/base/address.h"

namespace limpet {

/// Connections by client.
/// Thread: any. Bound: it holds nobody who has no connection, so limits.connections bounds it.
class ClientCensus {
 public:
  /// Counts one connection in, unless the client has `most` already: then false, and nothing is counted.
  [[nodiscard]] bool try_enter(const Address& peer, std::uint64_t most) {
    const Network client = client_prefix(peer);
    Shard& shard = shard_of(client);
    const std::lock_guard lock(shard.mutex);
    std::uint64_t& count = shard.counts[client];
    if (count >= most) return false;
    ++count;
    return true;
  }
  /// Counts out what try_enter() counted in.
  void leave(const Address& peer) {
    const Network client = client_prefix(peer);
    Shard& shard = shard_of(client);
    const std::lock_guard lock(shard.mutex);
    const auto at = shard.counts.find(client);
    if (at != shard.counts.end() && --at->second == 0) shard.counts.erase(at);
  }

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<Network, std::uint64_t> counts;
  };
  [[nodiscard]] Shard& shard_of(const Network& client) noexcept { return shards_[client.hash() % shards_.size()]; }

  std::array<Shard, 64> shards_;
};

}  // namespace limpet
