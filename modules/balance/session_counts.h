// SPDX-License-Identifier: Apache-2.0
#pragma once
// SessionCounts: live sessions per replica as one worker sees them: what the ledgers of all workers
// say, and the requests of this worker that are about to begin a session. Without the latter a
// burst of first requests would meet one replica.

#include <cstdint>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/module/pool.h"

namespace limpet::balance {

/// Thread: its worker.
class SessionCounts {
 public:
  explicit SessionCounts(const PoolFacts& pool)
      : held_(pool.replicas.size()),
        refresh_(pool.replicas.size() > kSmall ? kRefreshOfLarge : Duration{1}) {}

  [[nodiscard]] std::uint32_t of(const Replica& replica, Instant now, WallSeconds wall) noexcept {
    Held& held = held_[replica.index];
    if (now - held.counted_at >= refresh_) {
      const std::uint32_t newest = session_bucket(wall);
      held.counted = replica.vitals->sessions(newest - kLiveSessionBuckets, newest) + held.begun;
      held.counted_at = now;
    }
    return held.counted;
  }
  /// A request that may begin a session was given to the replica …
  void begin(std::uint32_t index) noexcept {
    ++held_[index].begun;
    ++held_[index].counted;
  }
  /// … and is done, so that its session, if there is one, is in the ledger.
  void end(std::uint32_t index) noexcept {
    if (held_[index].begun > 0) --held_[index].begun;
  }

 private:
  struct Held {
    std::uint32_t counted = 0;
    std::uint32_t begun = 0;
    Instant counted_at{};
  };
  // Counting one replica reads 64 numbers a worker: a small pool is counted each turn of the loop.
  static constexpr std::size_t kSmall = 64;
  static constexpr Duration kRefreshOfLarge = std::chrono::milliseconds(100);

  std::vector<Held> held_;
  Duration refresh_;
};

}  // namespace limpet::balance
