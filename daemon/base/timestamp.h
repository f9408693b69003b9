// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timestamp: moments of the calendar as logs write them, always in UTC. A form remembers the text
// of the second it wrote last, so that most moments cost the milliseconds only. Not for HTTP dates,
// not for parsing.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace limpet {

/// Writes moments in one of two forms.
/// Thread: one at a time.
class Timestamp {
 public:
  /// "2026-11-22T10:00:00.123Z" (RFC 3339).
  void append_rfc3339(std::string& out, WallTime when);
  /// "22/Nov/2026:10:00:00 +0000", as the combined log format has it.
  void append_combined(std::string& out, WallTime when);

 private:
  struct Held {
    std::int64_t second = INT64_MIN;
    std::array<char, 28> text{};
  };
  Held rfc3339_;
  Held combined_;
};

}  // namespace limpet
