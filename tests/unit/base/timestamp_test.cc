// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/timestamp.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

WallTime at(std::int64_t milliseconds) { return WallTime(std::chrono::milliseconds(milliseconds)); }

TEST_CASE("a timestamp writes RFC 3339 with milliseconds, in UTC") {
  struct Row {
    std::int64_t milliseconds;
    const char* expected;
  };
  constexpr Row kRows[] = {{0, "1970-01-01T00:00:00.000Z"},
                           {951'782'399'999, "2000-02-28T23:59:59.999Z"},
                           {951'782'400'001, "2000-02-29T00:00:00.001Z"},
                           {1'795'341'600'123, "2026-11-22T10:00:00.123Z"}};
  Timestamp timestamp;
  for (const Row& row : kRows) {
    std::string out;
    timestamp.append_rfc3339(out, at(row.milliseconds));
    CHECK(out == row.expected);
  }
}

TEST_CASE("a timestamp within the same second differs in its milliseconds only") {
  Timestamp timestamp;
  std::string out;
  timestamp.append_rfc3339(out, at(1'795'341'600'999));
  out += ' ';
  timestamp.append_rfc3339(out, at(1'795'341'600'007));
  CHECK(out == "2026-11-22T10:00:00.999Z 2026-11-22T10:00:00.007Z");
}

TEST_CASE("a timestamp writes the form of the combined log") {
  Timestamp timestamp;
  std::string out;
  timestamp.append_combined(out, at(1'795'341'600'123));
  CHECK(out == "22/Nov/2026:10:00:00 +0000");
}

}  // namespace
}  // namespace limpet
