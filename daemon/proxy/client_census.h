// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClientCensus: how many connections each client (a /32, or a /64 under IPv6) has with the whole
// process, for limits.connections_per_client. Asked at accept and close only, and only where that
// limit is set.

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "daemon/base/address.h"

namespace limpet {

class ClientTicket;

/// Connections by client.
/// Thread: any. Lifetime: outlives its tickets. Bound: it holds nobody who has no connection, so
/// limits.connections bounds it.
class ClientCensus {
 public:
  /// Counts one connection in; the ticket counts it out. Null where the client has `most` already.
  [[nodiscard]] std::unique_ptr<ClientTicket> try_enter(const Address& peer, std::uint64_t most);

 private:
  friend class ClientTicket;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<Network, std::uint64_t> counts;
  };
  [[nodiscard]] Shard& shard_of(const Network& client) noexcept {
    return shards_[client.hash() % shards_.size()];
  }
  void leave(const Network& client) {
    Shard& shard = shard_of(client);
    const std::lock_guard lock(shard.mutex);
    const auto at = shard.counts.find(client);
    if (at != shard.counts.end() && --at->second == 0) shard.counts.erase(at);
  }

  std::array<Shard, 64> shards_;
};

/// One counted connection.
class ClientTicket {
 public:
  ClientTicket(ClientCensus& census, const Network& client) : census_(census), client_(client) {}
  ClientTicket(const ClientTicket&) = delete;
  ClientTicket& operator=(const ClientTicket&) = delete;
  ~ClientTicket() { census_.leave(client_); }

 private:
  ClientCensus& census_;
  Network client_;
};

inline std::unique_ptr<ClientTicket> ClientCensus::try_enter(const Address& peer,
                                                             std::uint64_t most) {
  const Network client = client_prefix(peer);
  Shard& shard = shard_of(client);
  {
    const std::lock_guard lock(shard.mutex);
    std::uint64_t& count = shard.counts[client];
    if (count >= most) return nullptr;
    ++count;
  }
  return std::make_unique<ClientTicket>(*this, client);
}

}  // namespace limpet
