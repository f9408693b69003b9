// SPDX-License-Identifier: Apache-2.0
#pragma once
// Random: fast numbers for choices (xoshiro256**), one generator a worker, seedable in tests. Never
// for keys or nonces.

#include <array>
#include <cstdint>

#include <sys/random.h>

namespace limpet {

/// A worker's generator for choices among replicas, jitter and the like.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (auto& word : state_) {  // splitmix64 spreads the seed
      seed += 0x9e3779b97f4a7c15U;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
      word = z ^ (z >> 31);
    }
  }
  /// Seeded by the kernel.
  [[nodiscard]] static Random from_kernel() noexcept {
    std::uint64_t seed = 0x5eed;
    if (::getrandom(&seed, sizeof seed, 0) != sizeof seed)
      seed ^= reinterpret_cast<std::uintptr_t>(&seed);
    return Random(seed);
  }

  [[nodiscard]] std::uint64_t next() noexcept {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  /// Evenly in [0, bound); 0 for bound 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>((next() >> 32) * bound >> 32);
  }
  /// Evenly in [0, 1).
  [[nodiscard]] double fraction() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  static constexpr std::uint64_t rotate(std::uint64_t x, int k) noexcept {
    return (x << k) | (x >> (64 - k));
  }
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace limpet
