// SPDX-License-Identifier: Apache-2.0
#pragma once
// Generation: a snapshot at work in one worker: its module instances, its chains, its replicas'
// slots. A reload makes a new one; the old one ends with its last relay.

#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/module/chain.h"
#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/router.h"
#include "daemon/proxy/snapshot.h"
#include "daemon/proxy/waiting_room.h"

namespace limpet {

/// A pool at work in one worker.
struct PoolAtWork {
  const PoolPlan* plan = nullptr;
  Chain chain;
  std::vector<ReplicaSlot*> slots;  ///< by Replica::index
  WaitingRoom* waiting = nullptr;   ///< the worker's, kept across reloads by the pool's name
  Instant panic_checked = Instant::min();
  bool panics = false;

  [[nodiscard]] ReplicaSlot& slot(const Replica& replica) const noexcept {
    return *slots[replica.index];
  }
  /// Whether requests may wait for room on a replica.
  [[nodiscard]] bool may_queue() const noexcept { return plan->limits.requests_max > 0; }
  [[nodiscard]] std::uint32_t attempts_max() const noexcept { return plan->attempts_max; }
  [[nodiscard]] bool retries_status(std::uint16_t status) const noexcept;
  /// Whether too few replicas are usable, looked at every 50 ms at the most.
  [[nodiscard]] bool is_panicking(Instant now);
};

/// One configuration at work in one worker.
/// Owns: chains. Borrows: slots and waiting rooms. Thread: its worker; the snapshot's count is
/// touched once.
class Generation {
 public:
  Generation(std::shared_ptr<const Snapshot> snapshot, WorkerRoom& room);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  [[nodiscard]] const Snapshot& snapshot() const noexcept { return *snapshot_; }
  [[nodiscard]] const Router& router() const noexcept { return router_; }
  [[nodiscard]] const Chain& bare_chain() const noexcept { return bare_chain_; }
  [[nodiscard]] PoolAtWork& pool(const PoolPlan& plan) noexcept { return *pools_[plan.index]; }
  [[nodiscard]] const std::vector<std::unique_ptr<PoolAtWork>>& pools() const noexcept {
    return pools_;
  }

  /// About once a second, for modules with work that belongs to no exchange.
  void tick(Instant now) const {
    for (const auto& pool : pools_)
      pool->chain.tick(now);
  }

  /// Relays at work in it.
  void count_in() noexcept { ++relays_; }
  void count_out() noexcept { --relays_; }
  [[nodiscard]] bool is_unused() const noexcept { return relays_ == 0; }

 private:
  std::shared_ptr<const Snapshot> snapshot_;
  Router router_;
  Chain bare_chain_;
  std::vector<std::unique_ptr<PoolAtWork>> pools_;
  std::uint64_t relays_ = 0;
};

}  // namespace limpet
