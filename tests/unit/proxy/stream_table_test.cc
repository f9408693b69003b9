// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/stream_table.h"

#include <array>
#include <cstdint>
#include <set>

#include <doctest/doctest.h>

namespace limpet {

namespace {

struct Member : StreamNode<Member> {};
using Table = StreamTable<Member>;

std::set<std::uint32_t> numbers_in(const Table& table) {
  std::set<std::uint32_t> seen;
  table.for_each([&](const Member& one) { seen.insert(one.number()); });
  return seen;
}

}  // namespace

TEST_CASE("a stream is found by its number, and no other is") {
  Table table;
  Member first;
  Member second;
  table.add(first, 1);
  table.add(second, 9);  // the same row
  CHECK(table.find(1) == &first);
  CHECK(table.find(9) == &second);
  CHECK(table.find(5) == nullptr);
  CHECK(table.size() == 2);
  CHECK(numbers_in(table) == std::set<std::uint32_t>{1, 9});
}

TEST_CASE("a stream that has left is not found, and has no number") {
  Table table;
  Member first;
  Member second;
  table.add(first, 1);
  table.add(second, 9);
  table.remove(first);
  CHECK(table.find(1) == nullptr);
  CHECK(table.find(9) == &second);
  CHECK_FALSE(first.is_in_table());
  CHECK(second.is_in_table());
  CHECK(table.any() == &second);
  table.remove(second);
  CHECK(table.any() == nullptr);
  CHECK(table.size() == 0);
}

TEST_CASE("all streams are found while there are many, and when few are left") {
  constexpr std::uint32_t kMany = 500;
  Table table;
  std::array<Member, kMany> members;
  const auto number_of = [](std::uint32_t i) { return 2 * i + 1; };
  for (std::uint32_t round = 0; round < 2; ++round) {
    for (std::uint32_t i = 0; i < kMany; ++i) {
      table.add(members[i], number_of(i));
      CHECK(table.find(number_of(i / 2)) == &members[i / 2]);
    }
    CHECK(numbers_in(table).size() == kMany);
    for (std::uint32_t i = 0; i < kMany; ++i) {
      CHECK(table.find(number_of(i)) == &members[i]);
      table.remove(members[i]);
      CHECK(table.find(number_of(i)) == nullptr);
    }
    CHECK(table.any() == nullptr);
  }
}

}  // namespace limpet
