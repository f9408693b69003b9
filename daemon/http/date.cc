// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/date.h"

#include <cstring>

namespace limpet {

namespace {

// English by rule, whatever the locale.
constexpr std::string_view kWeekdays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

char* put(char* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_two(char* at, unsigned value) noexcept {
  *at++ = static_cast<char>('0' + value / 10 % 10);
  *at++ = static_cast<char>('0' + value % 10);
  return at;
}

char* put_count(char* at, std::chrono::seconds::rep value) noexcept {
  return put_two(at, static_cast<unsigned>(value));
}

}  // namespace

char* write_date(char* out, WallSeconds time) noexcept {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  char* at = put(out, kWeekdays.substr(std::chrono::weekday{day}.c_encoding() * 3, 3));
  at = put(at, ", ");
  at = put_two(at, static_cast<unsigned>(date.day()));
  *at++ = ' ';
  at = put(at, kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  *at++ = ' ';
  at = put_two(put_two(at, year / 100), year);
  *at++ = ' ';
  at = put_count(at, clock.hours().count());
  *at++ = ':';
  at = put_count(at, clock.minutes().count());
  *at++ = ':';
  at = put_count(at, clock.seconds().count());
  return put(at, " GMT");
}

void DateCache::renew(WallSeconds now) noexcept {
  second_ = now;
  put(write_date(line_.data() + kNameBytes + 2, now), "\r\n");
}

}  // namespace limpet
