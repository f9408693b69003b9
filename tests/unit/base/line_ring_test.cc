// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/line_ring.h"

#include <string>
#include <thread>

#include <doctest/doctest.h>

namespace limpet {
namespace {

std::string take_all(LineRing& ring) {
  std::string out;
  while (ring.held_bytes() > 0) {
    const std::string_view piece = ring.readable();
    out += piece;
    ring.pop(piece.size());
  }
  return out;
}

TEST_CASE("a ring refuses what does not fit and keeps what it has") {
  LineRing ring(16);
  CHECK(ring.push("0123456789\n"));
  CHECK_FALSE(ring.push("abcdef"));
  CHECK(ring.push("abcd\n"));
  CHECK(take_all(ring) == "0123456789\nabcd\n");
}

TEST_CASE("a line across the seam comes out in two pieces and in order") {
  LineRing ring(16);
  REQUIRE(ring.push("0123456789\n"));
  REQUIRE(take_all(ring).size() == 11);
  REQUIRE(ring.push("abcdefghij\n"));
  CHECK(ring.readable() == "abcde");
  CHECK(take_all(ring) == "abcdefghij\n");
}

TEST_CASE("a ring knows when it is over half full") {
  LineRing ring(16);
  REQUIRE(ring.push("01234567"));
  CHECK_FALSE(ring.is_over_half());
  REQUIRE(ring.push("8"));
  CHECK(ring.is_over_half());
}

TEST_CASE("what one thread appends another reads, nothing lost or changed") {
  constexpr int kLines = 20'000;
  LineRing ring(256);
  std::string read;
  std::thread appender([&] {
    for (int i = 0; i < kLines; ++i) {
      while (!ring.push(std::to_string(i) + "\n"))
        std::this_thread::yield();
    }
  });
  std::string expected;
  for (int i = 0; i < kLines; ++i)
    expected += std::to_string(i) + "\n";
  while (read.size() < expected.size())
    read += take_all(ring);
  appender.join();
  CHECK(read == expected);
}

}  // namespace
}  // namespace limpet
