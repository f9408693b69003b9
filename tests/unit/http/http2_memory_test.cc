// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_memory.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <thread>

#include <doctest/doctest.h>

namespace limpet {
namespace {

TEST_CASE("pieces are aligned, counted and given back") {
  Http2Memory memory;
  void* pieces[200];
  for (std::size_t i = 0; i < 200; ++i) {
    pieces[i] = memory.take(i * 13);
    REQUIRE(pieces[i] != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(pieces[i]) % alignof(std::max_align_t) == 0);
    std::memset(pieces[i], 0x5a, i * 13);
  }
  CHECK(memory.bytes_in_use() >= 199 * 200 / 2 * 13);
  for (void* piece : pieces)
    memory.give(piece);
  CHECK(memory.bytes_in_use() == 0);
  memory.give(nullptr);
}

TEST_CASE("zeroed pieces are, also when they were used before") {
  Http2Memory memory;
  for (int i = 0; i < 3; ++i) {
    auto* const bytes = static_cast<unsigned char*>(memory.take_zeroed(10, 10));
    REQUIRE(bytes != nullptr);
    for (int at = 0; at < 100; ++at)
      REQUIRE(bytes[at] == 0);
    std::memset(bytes, 0xff, 100);
    memory.give(bytes);
  }
}

TEST_CASE("a resized piece keeps what it held") {
  Http2Memory memory;
  auto* text = static_cast<char*>(memory.resize(nullptr, 5));
  std::memcpy(text, "abcd", 5);
  for (const std::size_t bytes : {60U, 200U, 5000U, 100000U, 10U}) {
    text = static_cast<char*>(memory.resize(text, bytes));
    REQUIRE(text != nullptr);
    CHECK(std::strcmp(text, "abcd") == 0);
  }
  memory.give(text);
  CHECK(memory.bytes_in_use() == 0);
}

TEST_CASE("the first piece that a frame fits in is the thread's; the next are one's own") {
  constexpr std::size_t kFrame = 16 * 1024 + 10;
  Http2Memory one;
  Http2Memory other;
  void* const bench = one.take(kFrame);
  REQUIRE(bench != nullptr);
  CHECK(other.take(kFrame) == bench);
  CHECK(one.bytes_in_use() == 0);

  auto* own = static_cast<char*>(one.take(kFrame));
  REQUIRE(own != nullptr);
  CHECK(own != bench);
  CHECK(one.bytes_in_use() >= kFrame);
  std::memset(own, 'o', kFrame);
  one.leave_workbench();
  CHECK(own[kFrame - 1] == 'o');

  one.give(own);
  one.give(bench);
  other.give(bench);
  CHECK(one.bytes_in_use() == 0);
  CHECK(other.bytes_in_use() == 0);
}

TEST_CASE("what frames are made in outlives its thread as long as a connection knows it") {
  constexpr std::size_t kFrame = 16 * 1024 + 10;
  auto memory = std::make_unique<Http2Memory>();
  void* bench = nullptr;
  std::thread([&] {
    bench = memory->take(kFrame);
    std::memset(bench, 0x5a, kFrame);
    const Http2Memory other;  // goes before it
  }).join();
  REQUIRE(bench != nullptr);
  void* const own = memory->take(kFrame);
  REQUIRE(own != nullptr);
  CHECK(own != bench);
  CHECK(static_cast<unsigned char*>(bench)[kFrame - 1] == 0x5a);
  memory->give(bench);
  memory->give(own);
  CHECK(memory->bytes_in_use() == 0);
}

TEST_CASE("the groundwork can rest; what is taken later is not of it") {
  Http2Memory memory;
  memory.lay_ground();
  auto* const zero = static_cast<char*>(memory.take_zeroed(100, 30));
  auto* ground = static_cast<char*>(memory.take(5000));
  void* const bench = memory.take(16 * 1024 + 10);
  auto* const too_large = static_cast<char*>(memory.take_zeroed(1, 9000));
  REQUIRE(zero != nullptr);
  REQUIRE(ground != nullptr);
  REQUIRE(bench != nullptr);
  REQUIRE(too_large != nullptr);
  CHECK(memory.ground_bytes() >= 8000);
  CHECK(memory.ground_bytes() <= Plot::kBytes);
  CHECK(memory.bytes_in_use() >= 9000);
  CHECK(memory.bytes_in_use() < 10000);
  for (int at = 0; at < 3000; ++at)
    REQUIRE(zero[at] == 0);
  std::memset(ground, 'g', 5000);
  memory.settle();

  void* const later = memory.take(100);
  std::memset(later, 'l', 100);
  memory.rest();
  REQUIRE(memory.is_resting());
  CHECK(static_cast<char*>(later)[99] == 'l');
  memory.wake();
  CHECK(ground[0] == 'g');
  CHECK(ground[4999] == 'g');

  ground = static_cast<char*>(memory.resize(ground, 6000));
  REQUIRE(ground != nullptr);
  CHECK(ground[4999] == 'g');
  for (void* piece : {static_cast<void*>(zero), static_cast<void*>(ground), bench,
                      static_cast<void*>(too_large), later})
    memory.give(piece);
  CHECK(memory.bytes_in_use() == 0);
}

TEST_CASE("what no machine has is refused, not wrapped around") {
  Http2Memory memory;
  CHECK(memory.take(std::numeric_limits<std::size_t>::max()) == nullptr);
  CHECK(memory.take_zeroed(std::numeric_limits<std::size_t>::max() / 2, 4) == nullptr);
  CHECK(memory.bytes_in_use() == 0);
}

}  // namespace
}  // namespace limpet
