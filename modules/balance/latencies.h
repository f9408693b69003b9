// SPDX-License-Identifier: Apache-2.0
#pragma once
// Latencies: one worker's moving averages of the time to first byte, kept in the replicas' vitals,
// and how far they can still be trusted. An average that nothing confirms is halved again and
// again, so that a replica once slow is tried anew: every second where one answer alone says so (a
// first answer, a pause), every ten seconds where answer after answer has said the same.

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
      : worker_(worker), grounds_(pool.replicas.size()) {}

  void note(const Replica& replica, Duration took, Sampled how, Instant now) noexcept {
    if (replica.index >= grounds_.size()) return;
    auto& held = replica.vitals->share(worker_).latency_us;
    const std::uint32_t before = held.load(std::memory_order_relaxed);
    const auto sample = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(took / std::chrono::microseconds(1), 1, 1'000'000'000));
    Grounds& grounds = grounds_[replica.index];
    const bool is_stale = now - grounds.noted_at > grounds.halving;
    std::uint32_t after = before == 0 || is_stale ? sample : before - before / 8 + sample / 8;
    if (how == Sampled::kFault) after = std::max(after, before);
    held.store(std::max<std::uint32_t>(after, 1), std::memory_order_relaxed);
    // An error says nothing of how long an answer takes.
    if (how == Sampled::kGood)
      grounds.halving = are_like(before, sample) ? next_longer(grounds.halving) : kHalvingLeast;
    grounds.noted_at = now;
  }
  /// Microseconds, 0 = nothing known.
  [[nodiscard]] std::uint32_t trusted_us(const Replica& replica, Instant now) const noexcept {
    const std::uint32_t held =
        replica.vitals->share(worker_).latency_us.load(std::memory_order_relaxed);
    const Grounds& grounds = grounds_[replica.index];
    const Duration age = now - grounds.noted_at;
    if (age < grounds.halving) return held;
    return age >= 31 * grounds.halving ? 0 : held >> (age / grounds.halving);
  }

 private:
  static constexpr Duration kHalvingLeast = std::chrono::seconds(1);
  static constexpr Duration kHalvingMost = std::chrono::seconds(10);

  /// What an average rests on.
  struct Grounds {
    Instant noted_at{};
    Duration halving = kHalvingLeast;  ///< twice as long with each answer that is like it
  };

  static constexpr Duration next_longer(Duration halving) noexcept {
    return halving < kHalvingMost / 2 ? 2 * halving : kHalvingMost;
  }
  // As where replicas are compared: within a factor of two all is noise.
  static bool are_like(std::uint32_t average_us, std::uint32_t sample_us) noexcept {
    return sample_us <= 2 * std::uint64_t{average_us} && average_us <= 2 * std::uint64_t{sample_us};
  }

  std::size_t worker_;
  std::vector<Grounds> grounds_;
};

}  // namespace limpet::balance
