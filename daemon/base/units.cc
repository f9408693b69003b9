// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/units.h"

#include <array>
#include <limits>

#include "daemon/base/text.h"

namespace limpet {
namespace {

struct DurationUnit {
  std::string_view name;
  Duration length;
};
struct BytesUnit {
  std::string_view name;
  std::uint64_t bytes;
};

constexpr std::array<DurationUnit, 5> kDurationUnits = {{{"d", std::chrono::hours(24)},
                                                         {"h", std::chrono::hours(1)},
                                                         {"m", std::chrono::minutes(1)},
                                                         {"s", std::chrono::seconds(1)},
                                                         {"ms", std::chrono::milliseconds(1)}}};
constexpr std::array<BytesUnit, 4> kBytesUnits = {
    {{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}, {"B", 1}}};
constexpr Duration kDurationMax = std::chrono::hours(24 * 365 * 100);

/// The leading digits as a number; `rest` becomes what is behind them.
std::optional<std::uint64_t> leading_number(std::string_view text, std::string_view& rest) {
  std::size_t digits = 0;
  while (digits < text.size() && text::is_digit(text[digits]))
    ++digits;
  rest = text.substr(digits);
  return text::parse_unsigned(text.substr(0, digits));
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) noexcept {
  std::string_view unit_name;
  const auto count = leading_number(text, unit_name);
  if (!count) return std::nullopt;
  for (const DurationUnit& unit : kDurationUnits) {
    if (unit.name != unit_name) continue;
    if (*count > static_cast<std::uint64_t>(kDurationMax / unit.length)) return std::nullopt;
    return unit.length * static_cast<std::int64_t>(*count);
  }
  return std::nullopt;
}

std::string print_duration(Duration duration) {
  if (duration == kForever) return "off";
  if (duration == Duration::zero()) return "0s";
  for (const DurationUnit& unit : kDurationUnits) {
    // A minute reads better as "60s", as operators write it.
    if (unit.length == std::chrono::minutes(1) && duration == unit.length) continue;
    if (duration % unit.length == Duration::zero()) {
      return std::to_string(duration / unit.length) + std::string(unit.name);
    }
  }
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         "ms";
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept {
  std::string_view unit_name;
  const auto count = leading_number(text, unit_name);
  if (!count || unit_name.empty()) return count;
  for (const BytesUnit& unit : kBytesUnits) {
    if (unit.name != unit_name) continue;
    if (*count > std::numeric_limits<std::int64_t>::max() / unit.bytes) return std::nullopt;
    return *count * unit.bytes;
  }
  return std::nullopt;
}

std::string print_bytes(std::uint64_t bytes) {
  for (const BytesUnit& unit : kBytesUnits) {
    if (bytes != 0 && bytes % unit.bytes == 0) {
      return std::to_string(bytes / unit.bytes) + std::string(unit.name);
    }
  }
  return "0B";
}

}  // namespace limpet
