// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/units.h"

#include <chrono>

#include <doctest/doctest.h>

namespace limpet {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("durations are read in every unit") {
  CHECK(parse_duration("250ms") == milliseconds(250));
  CHECK(parse_duration("10s") == seconds(10));
  CHECK(parse_duration("5m") == minutes(5));
  CHECK(parse_duration("2h") == hours(2));
  CHECK(parse_duration("1d") == hours(24));
  CHECK(parse_duration("0s") == seconds(0));
}

TEST_CASE("what is not a duration is refused") {
  for (const char* text : {"", "10", "s", "off", "1.5s", "-1s", "+1s", "10 s", " 10s", "10S",
                           "10sec", "1h30m", "36501d", "99999999999999999999s"}) {
    CHECK_MESSAGE(!parse_duration(text), text);
  }
  CHECK(parse_duration("36500d"));
}

TEST_CASE("durations print in the largest unit that divides them") {
  CHECK(print_duration(milliseconds(250)) == "250ms");
  CHECK(print_duration(seconds(75)) == "75s");
  CHECK(print_duration(seconds(60)) == "60s");
  CHECK(print_duration(seconds(300)) == "5m");
  CHECK(print_duration(hours(1)) == "1h");
  CHECK(print_duration(hours(48)) == "2d");
  CHECK(print_duration(seconds(0)) == "0s");
  CHECK(print_duration(kForever) == "off");
}

TEST_CASE("sizes are read with and without unit") {
  CHECK(parse_bytes("64KiB") == 65536);
  CHECK(parse_bytes("1MiB") == 1048576);
  CHECK(parse_bytes("2GiB") == 2147483648);
  CHECK(parse_bytes("17") == 17);
  CHECK(parse_bytes("17B") == 17);
  for (const char* text : {"", "KiB", "64KB", "64 KiB", "1.5MiB", "-1", "99999999999GiB"}) {
    CHECK_MESSAGE(!parse_bytes(text), text);
  }
}

TEST_CASE("sizes print in the largest unit that divides them") {
  CHECK(print_bytes(65536) == "64KiB");
  CHECK(print_bytes(1048576) == "1MiB");
  CHECK(print_bytes(1500) == "1500B");
  CHECK(print_bytes(0) == "0B");
}

}  // namespace
}  // namespace limpet
