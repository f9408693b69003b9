// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/replica_table.h"

#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "modules/affinity/token.h"
#include "tests/support/exchange_fixture.h"

namespace limpet::affinity {
namespace {

using test::make_pool;
using test::ReplicaSketch;

constexpr int kValues = 4000;

std::string value(int i) { return "user-" + std::to_string(i); }

// The id of the replica that comes first for a value.
std::string owner(const PoolFacts& pool, const ReplicaTable& table, int i) {
  const std::uint32_t index = table.first_of(key_of(value(i)), [](std::uint32_t) { return true; });
  return index == kNoReplica ? std::string() : pool.replicas[index].id;
}

TEST_CASE("a mark leads to its replica, an unknown one to none") {
  const auto pool = make_pool("web", std::vector<std::string>{"a", "b"});
  const ReplicaTable table(*pool);
  CHECK(table.index_of(replica_mark("b")) == 1);
  CHECK(table.index_of(replica_mark("z")) == kNoReplica);
}

TEST_CASE("values spread by weight") {
  const auto pool = make_pool(
      "web",
      std::vector<ReplicaSketch>{{"a", 1, "", false}, {"b", 3, "", false}, {"z", 0, "", false}});
  const ReplicaTable table(*pool);
  int on_a = 0;
  for (int i = 0; i < kValues; ++i) {
    const std::string id = owner(*pool, table, i);
    CHECK(id != "z");
    on_a += id == "a" ? 1 : 0;
  }
  CHECK(on_a > kValues / 4 - 200);
  CHECK(on_a < kValues / 4 + 200);
}

TEST_CASE(
    "a removed replica moves its own values only, and an added one takes values but moves none "
    "between others") {
  const auto three = make_pool("web", std::vector<std::string>{"a", "b", "c"});
  const auto two = make_pool("web", std::vector<std::string>{"c", "a"});
  const ReplicaTable of_three(*three);
  const ReplicaTable of_two(*two);
  int moved = 0;
  for (int i = 0; i < kValues; ++i) {
    const std::string before = owner(*three, of_three, i);
    const std::string after = owner(*two, of_two, i);
    if (before == "b")
      ++moved;
    else
      CHECK(before == after);
  }
  CHECK(moved > kValues / 4);
}

TEST_CASE("the next in order takes over where the first may not") {
  const auto pool = make_pool("web", std::vector<std::string>{"a", "b", "c"});
  const ReplicaTable table(*pool);
  const std::uint32_t first = table.first_of(key_of("v"), [](std::uint32_t) { return true; });
  const std::uint32_t second =
      table.first_of(key_of("v"), [&](std::uint32_t i) { return i != first; });
  CHECK(first != second);
  CHECK(second != kNoReplica);
  CHECK(table.first_of(key_of("v"), [](std::uint32_t) { return false; }) == kNoReplica);
}

TEST_CASE("backups own nothing while there are primaries") {
  const auto pool =
      make_pool("web", std::vector<ReplicaSketch>{{"a", 1, "", true}, {"b", 1, "", false}});
  const ReplicaTable table(*pool);
  for (int i = 0; i < 100; ++i)
    CHECK(owner(*pool, table, i) == "b");
}

TEST_CASE("values are split over revisions by their shares") {
  const auto pool = make_pool("web", std::vector<ReplicaSketch>{{"a", 1, "v1", false},
                                                                {"b", 1, "v1", false},
                                                                {"c", 1, "v2", false},
                                                                {"d", 1, "v3", false}});
  pool->revisions = {{"v1", 90}, {"v2", 10}, {"v3", 0}};
  const ReplicaTable table(*pool);
  int on_v2 = 0;
  for (int i = 0; i < kValues; ++i) {
    const std::string id = owner(*pool, table, i);
    CHECK(id != "d");
    on_v2 += id == "c" ? 1 : 0;
  }
  CHECK(on_v2 > kValues / 10 - 120);
  CHECK(on_v2 < kValues / 10 + 120);
}

TEST_CASE("equal ids do not count as a collision, which configuration refuses elsewhere") {
  CHECK(
      ReplicaTable::collision(*make_pool("web", std::vector<std::string>{"a", "b", "c"})).empty());
}

}  // namespace
}  // namespace limpet::affinity
