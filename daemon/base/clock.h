// SPDX-License-Identifier: Apache-2.0
#pragma once
// Clock: the two kinds of time. Instant is monotonic and measures; WallSeconds is the calendar's
// and goes into tokens and logs. The loop reads the monotonic clock once per turn (event/loop.h);
// tests pass their own.

#include <chrono>
#include <cstdint>

namespace limpet {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::system_clock::time_point;
using WallSeconds = std::chrono::sys_seconds;

/// A setting that reads "off": longer than anything that runs.
inline constexpr Duration kForever = Duration::max();
/// A deadline that never comes.
inline constexpr Instant kNever = Instant::max();

[[nodiscard]] inline Instant monotonic_now() noexcept {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

/// The instant `after` from `now`; kNever where `after` is kForever.
[[nodiscard]] constexpr Instant deadline_after(Instant now, Duration after) noexcept {
  return after == kForever ? kNever : now + after;
}

}  // namespace limpet
