// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/timestamp.h"

#include <chrono>

namespace limpet {
namespace {

constexpr std::size_t kRfc3339Bytes = 24;  // with ".mmmZ"
constexpr std::size_t kCombinedBytes = 26;
constexpr std::size_t kMillisecondsAt = 20;

struct Calendar {
  std::uint32_t year, month, day, hour, minute, second;
};

Calendar calendar_of(std::chrono::sys_seconds when) {
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(when - day);
  return {static_cast<std::uint32_t>(static_cast<int>(date.year())),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<std::uint32_t>(time.hours().count()),
          static_cast<std::uint32_t>(time.minutes().count()),
          static_cast<std::uint32_t>(time.seconds().count())};
}

char* put(char* at, std::uint32_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10)
    at[i] = static_cast<char>('0' + value % 10);
  return at + digits;
}

char* put(char* at, std::string_view text) {
  for (const char c : text)
    *at++ = c;
  return at;
}

}  // namespace

void Timestamp::append_rfc3339(std::string& out, WallTime when) {
  const auto second = std::chrono::floor<std::chrono::seconds>(when);
  const auto millisecond = std::chrono::floor<std::chrono::milliseconds>(when - second).count();
  char* text = rfc3339_.text.data();
  if (rfc3339_.second != second.time_since_epoch().count()) {
    rfc3339_.second = second.time_since_epoch().count();
    const Calendar c = calendar_of(second);
    char* at = put(put(put(put(text, c.year, 4), "-"), c.month, 2), "-");
    at = put(put(put(put(at, c.day, 2), "T"), c.hour, 2), ":");
    put(put(put(put(at, c.minute, 2), ":"), c.second, 2), ".000Z");
  }
  put(text + kMillisecondsAt, static_cast<std::uint32_t>(millisecond), 3);
  out.append(text, kRfc3339Bytes);
}

void Timestamp::append_combined(std::string& out, WallTime when) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto second = std::chrono::floor<std::chrono::seconds>(when);
  char* text = combined_.text.data();
  if (combined_.second != second.time_since_epoch().count()) {
    combined_.second = second.time_since_epoch().count();
    const Calendar c = calendar_of(second);
    char* at = put(put(put(text, c.day, 2), "/"), kMonths.substr((c.month - 1) * 3, 3));
    at = put(put(put(put(at, "/"), c.year, 4), ":"), c.hour, 2);
    put(put(put(put(put(at, ":"), c.minute, 2), ":"), c.second, 2), " +0000");
  }
  out.append(text, kCombinedBytes);
}

}  // namespace limpet
