// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/arena.h"

#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

TEST_CASE("memory of an arena is aligned, apart, and kept until the reset") {
  Arena arena;
  std::vector<std::string_view> texts;
  for (std::size_t i = 1; i < 3000; i += 7) {
    CHECK(reinterpret_cast<std::uintptr_t>(arena.allocate(i)) % 8 == 0);
    texts.push_back(arena.copy(std::string(i, static_cast<char>('a' + i % 26))));
  }
  std::size_t i = 1;
  for (const std::string_view text : texts) {
    CHECK(text == std::string(i, static_cast<char>('a' + i % 26)));
    i += 7;
  }
  CHECK(arena.extra_bytes() > 0);
  arena.reset();
  CHECK(arena.extra_bytes() == 0);
}

TEST_CASE("join puts parts together") {
  Arena arena;
  CHECK(arena.join("a", std::string("bc"), std::string_view("d")) == "abcd");
}

TEST_CASE("a pool gives an arena again that came back") {
  ArenaPool pool;
  Arena* first = pool.take();
  pool.give(first);
  Arena* second = pool.take();
  CHECK(second == first);
  pool.give(second);
}
