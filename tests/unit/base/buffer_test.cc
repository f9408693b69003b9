// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/buffer.h"

#include <string>

#include <doctest/doctest.h>

#include "daemon/base/random.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)

TEST_CASE("an empty buffer holds no memory, and an emptied one gives it back") {
  const std::size_t before = BlockCache::bytes_in_use();
  Buffer buffer;
  CHECK(BlockCache::bytes_in_use() == before);
  buffer.append("hello");
  CHECK(BlockCache::bytes_in_use() > before);
  buffer.consume(5);
  CHECK(buffer.is_empty());
  CHECK(BlockCache::bytes_in_use() == before);
}

TEST_CASE("bytes come out in the order in which they went in, whatever the sizes") {
  Random random(3);
  Buffer buffer;
  std::string expected;
  for (int round = 0; round < 2000; ++round) {
    const std::string piece(random.below(5000), static_cast<char>('a' + round % 26));
    buffer.append(piece);
    expected += piece;
    REQUIRE(buffer.view() == expected);
    const std::size_t taken = random.below(static_cast<std::uint32_t>(expected.size() + 1));
    buffer.consume(taken);
    expected.erase(0, taken);
    if (expected.size() > 100'000) {
      buffer.clear();
      expected.clear();
    }
  }
}

TEST_CASE("a moved buffer leaves the other empty") {
  Buffer a;
  a.append("abc");
  Buffer b = std::move(a);
  CHECK(b.view() == "abc");
  CHECK(a.is_empty());  // NOLINT(bugprone-use-after-move)
  a = std::move(b);
  CHECK(a.view() == "abc");
}
