// SPDX-License-Identifier: Apache-2.0
#pragma once
// Units: durations ("250ms" "10s" "5m" "2h" "1d") and sizes ("64KiB" "1MiB") as operators write
// them. Used by the configuration reader and by modules whose settings hold a duration inside a
// text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace limpet {

/// Reads a whole number and one of the units ms, s, m, h, d; "off" is not a duration here.
/// Errors: nothing for other text, a missing unit, or more than 100 years.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text) noexcept;
/// In the largest unit that divides it; kForever gives "off". parse_duration() reads it back.
[[nodiscard]] std::string print_duration(Duration duration);

/// Reads a whole number with the unit B, KiB, MiB, GiB or none.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept;
/// In the largest unit that divides it: "64KiB".
[[nodiscard]] std::string print_bytes(std::uint64_t bytes);

}  // namespace limpet
