// SPDX-License-Identifier: Apache-2.0
#pragma once
// Latencies: one worker's moving averages of the time to first byte, kept in the replicas' vitals,
// and how far they can still be trusted: an average that nothing confirms is halved every ten
// seconds, so that a replica once slow is tried again.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/module/pool.h"

namespace limpet::balance {

/// How one more measurement counts.
enum class Sampled : std::uint8_t {
  kGood,
  kFault,  ///< an error, which may have come fast: it never makes the average better
};

/// Thread: its worker.
class Latencies {
 public:
  Latencies(const PoolFacts& pool, std::size_t worker)
      : worker_(worker), noted_at_(pool.replicas.size(), Instant{}) {}

  void note(const Replica& replica, Duration took, Sampled how, Instant now) noexcept {
    if (replica.index >= noted_at_.size()) return;
    auto& held = replica.vitals->share(worker_).latency_us;
    const std::uint32_t before = held.load(std::memory_order_relaxed);
    const auto sample = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(took / std::chrono::microseconds(1), 1, 1'000'000'000));
    const bool is_stale = now - noted_at_[replica.index] > kHalving;
    std::uint32_t after = before == 0 || is_stale ? sample : before - before / 8 + sample / 8;
    if (how == Sampled::kFault) after = std::max(after, before);
    held.store(std::max<std::uint32_t>(after, 1), std::memory_order_relaxed);
    noted_at_[replica.index] = now;
  }
  /// Microseconds, 0 = nothing known.
  [[nodiscard]] std::uint32_t trusted_us(const Replica& replica, Instant now) const noexcept {
    const std::uint32_t held =
        replica.vitals->share(worker_).latency_us.load(std::memory_order_relaxed);
    const Duration age = now - noted_at_[replica.index];
    if (age < kHalving) return held;
    return age >= 31 * kHalving ? 0 : held >> (age / kHalving);
  }

 private:
  static constexpr Duration kHalving = std::chrono::seconds(10);

  std::size_t worker_;
  std::vector<Instant> noted_at_;
};

}  // namespace limpet::balance
