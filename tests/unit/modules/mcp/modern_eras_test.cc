// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern_eras.h"

#include <string>

#include <doctest/doctest.h>

#include "modules/mcp/modern_probe.h"
#include "tests/support/exchange_fixture.h"

namespace limpet::mcp {
namespace {

using test::TestExchange;

struct Rig {
  explicit Rig(EraFilter::Asking asking = EraFilter::Asking::kOn)
      : filter(book, *pool, asking), exchange(client, pool.get()) {}

  /// The eligible ones of a, b, c, as a text.
  std::string fit(Era era) {
    Candidates candidates(*pool, *exchange, {}, test::kStartInstant, false);
    filter.narrow(candidates, era);
    std::string ids;
    for (const Replica& replica : pool->replicas)
      ids += candidates.is_eligible(replica) ? replica.id : "";
    return ids;
  }
  void learn(std::uint32_t index, Era era, Speaks speaks) {
    filter.at(index).learn(era, speaks);
    filter.at(index).was_asked = true;
  }

  std::unique_ptr<PoolFacts> pool = test::make_pool("p", std::vector<std::string>{"a", "b", "c"});
  EraBook book;
  EraFilter filter;
  ClientFacts client;
  TestExchange exchange;
};

TEST_CASE("a pool of which nothing is known, or that is all of one era, is not narrowed") {
  Rig rig;
  CHECK(rig.fit(Era::kSession) == "abc");
  rig.learn(0, Era::kSession, Speaks::kYes);
  CHECK(rig.fit(Era::kSession) == "abc");
  for (std::uint32_t i = 0; i < 3; ++i)
    rig.learn(i, Era::kModern, Speaks::kNo);
  CHECK(rig.fit(Era::kModern) == "abc");  // nobody would be left
}

TEST_CASE("in a mixed pool each era goes where it is spoken, and not to whom nobody has asked") {
  Rig rig;
  rig.learn(0, Era::kModern, Speaks::kNo);
  rig.learn(1, Era::kModern, Speaks::kYes);
  CHECK(rig.fit(Era::kModern) == "b");
  rig.filter.at(2).was_asked = true;  // it said nothing of use
  CHECK(rig.fit(Era::kModern) == "bc");
  CHECK(rig.fit(Era::kSession) == "abc");
}

TEST_CASE("modern requests do not go to a new replica before it was asked") {
  Rig rig;
  rig.learn(0, Era::kModern, Speaks::kYes);
  CHECK(rig.fit(Era::kModern) == "abc");
  rig.book.note_modern(test::kStartInstant);
  CHECK(rig.fit(Era::kModern) == "a");
  Rig unasked(EraFilter::Asking::kOff);
  unasked.book.note_modern(test::kStartInstant);
  unasked.learn(0, Era::kModern, Speaks::kYes);
  CHECK(unasked.fit(Era::kModern) == "abc");
}

TEST_CASE("the only one that speaks an era is down: then anybody may answer") {
  Rig rig;
  rig.learn(0, Era::kModern, Speaks::kYes);
  rig.learn(1, Era::kModern, Speaks::kNo);
  rig.learn(2, Era::kModern, Speaks::kNo);
  CHECK(rig.fit(Era::kModern) == "a");
  rig.pool->replicas[0].vitals->health = Health::kDown;
  CHECK(rig.fit(Era::kModern) == "bc");
}

TEST_CASE("a replica that has begun another life may be of another release") {
  Rig rig;
  CHECK(rig.fit(Era::kModern) == "abc");
  rig.learn(0, Era::kModern, Speaks::kNo);
  rig.learn(1, Era::kModern, Speaks::kYes);
  rig.learn(2, Era::kModern, Speaks::kYes);
  CHECK(rig.fit(Era::kModern) == "bc");
  rig.pool->replicas[0].vitals->last_dead_s = 1'780'000'000;
  CHECK(rig.fit(Era::kModern) == "abc");
  CHECK(rig.filter.at(0).of(Era::kModern) == Speaks::kUnknown);
}

TEST_CASE("what is known of a replica outlives a plan, and is dropped with the last one") {
  EraBook book;
  auto first = book.entry("a");
  first->learn(Era::kModern, Speaks::kYes);
  CHECK(book.entry("a") == first);
  first.reset();
  static_cast<void>(book.entry("b"));
  CHECK(book.entry("a")->of(Era::kModern) == Speaks::kUnknown);
}

TEST_CASE("pools with other replicas have other marks") {
  const auto one = test::make_pool("p", std::vector<std::string>{"a", "b"});
  const auto same = test::make_pool("q", std::vector<std::string>{"a", "b"});
  const auto more = test::make_pool("p", std::vector<std::string>{"a", "b", "c"});
  CHECK(mark_of_replicas(*one) == mark_of_replicas(*same));
  CHECK(mark_of_replicas(*one) != mark_of_replicas(*more));
}

TEST_CASE("an answer speaks for the era of its request") {
  constexpr std::string_view kModernOnly =
      R"({"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"]}}})";
  CHECK(speaks_era(Era::kSession, 400, "application/json", kModernOnly) == Speaks::kNo);
  CHECK(speaks_era(Era::kModern, 400, "application/json", kModernOnly) == Speaks::kYes);
}

}  // namespace
}  // namespace limpet::mcp
