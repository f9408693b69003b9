// SPDX-License-Identifier: Apache-2.0
#pragma once
// DateCache: the text of a Date field, made once a second.
// Not a clock: the caller says what time it is (base/clock.h), and not a parser of dates.
// The relay adds Date where a replica left it out.

#include <array>
#include <string_view>

#include "daemon/base/clock.h"

namespace limpet {

/// The length of an IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT".
inline constexpr std::size_t kDateBytes = 29;

/// Writes the IMF-fixdate of `time` to `out`, which has room for kDateBytes; returns the end.
/// RFC: 9110 section 5.6.7. For years 0 to 9999.
char* write_date(char* out, WallSeconds time) noexcept;

/// The date of the current second.
/// Thread: each worker has its own.
class DateCache {
 public:
  /// The text for `now`. Lifetime: until the next call with another second; a head needs its own
  /// copy.
  [[nodiscard]] std::string_view text(WallSeconds now) noexcept {
    return line(now).substr(kNameBytes + 2, kDateBytes);
  }
  /// The whole field line, for HeaderList::add_line(). Lifetime: as of text().
  [[nodiscard]] std::string_view line(WallSeconds now) noexcept {
    if (now != second_) renew(now);
    return {line_.data(), line_.size()};
  }
  static constexpr std::size_t kNameBytes = 4;
  static constexpr std::size_t kLineBytes = kNameBytes + 2 + kDateBytes + 2;

 private:
  void renew(WallSeconds now) noexcept;

  WallSeconds second_ = WallSeconds::min();
  std::array<char, kLineBytes> line_ = {'d', 'a', 't', 'e', ':', ' '};
};

}  // namespace limpet
