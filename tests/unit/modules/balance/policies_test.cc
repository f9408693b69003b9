// SPDX-License-Identifier: Apache-2.0
// What each policy does that the others do not.
#include <set>
#include <string>

#include "tests/unit/modules/balance/balance_rig.h"

namespace limpet {
namespace {

using namespace std::chrono_literals;
using test::BalanceRig;
using test::TestExchange;

// One request to whoever is picked, answered after `took`.
void answer(BalanceRig& rig, Duration took, std::uint16_t status = 200) {
  TestExchange exchange(rig.client(), rig.pool());
  (void)rig.pick(exchange);
  exchange->times.sent = rig.module().now();
  exchange->times.first_byte = rig.module().now() + took;
  exchange->status = status;
  rig.module().done(exchange);
}

TEST_CASE("two choices: the less loaded of two wins, so the most loaded never does") {
  BalanceRig rig({{"a"}, {"b"}, {"c"}}, "policy = \"two-choices\"");
  rig.load(0, 50);
  rig.vitals(1).share(1).in_flight = 3;  // of another worker: it counts as well
  rig.load(2, 1);
  auto counts = rig.picks(300);
  CHECK(counts["a"] < 10);  // only when the second draw missed its few tries
  CHECK(counts["c"] > counts["b"]);
}

TEST_CASE("two choices: load counts for the weight") {
  BalanceRig rig({{"a", 1}, {"b", 4}}, "policy = \"two-choices\"");
  rig.load(0, 2);
  rig.load(1, 4);
  CHECK(rig.picks(200)["b"] > 190);
}

TEST_CASE("two choices: a much slower replica gets less, a little slower one does not") {
  BalanceRig rig({{"a"}, {"b"}}, "policy = \"two-choices\"");
  rig.vitals(0).share(0).latency_us = 1'000;
  rig.vitals(1).share(0).latency_us = 1'900;
  for (int i = 0; i < 2; ++i)
    answer(rig, 1'400us);
  const int of_b = rig.picks(1'000)["b"];
  CHECK(of_b > 400);
  CHECK(of_b < 600);
  BalanceRig slow({{"a"}, {"b"}}, "policy = \"two-choices\"");
  for (int i = 0; i < 40; ++i) {
    TestExchange exchange(slow.client(), slow.pool());
    const bool is_a = slow.pick(exchange) == "a";
    exchange->times.sent = slow.module().now();
    exchange->times.first_byte = slow.module().now() + (is_a ? 1ms : 50ms);
    exchange->status = 200;
    slow.module().done(exchange);
  }
  CHECK(slow.picks(200)["a"] > 190);
}

TEST_CASE("two choices: what was slow is tried again after a while") {
  BalanceRig rig({{"a"}, {"b"}}, "policy = \"two-choices\"");
  for (int i = 0; i < 40; ++i) {
    TestExchange exchange(rig.client(), rig.pool());
    const bool is_a = rig.pick(exchange) == "a";
    exchange->times.sent = rig.module().now();
    exchange->times.first_byte = rig.module().now() + (is_a ? 1ms : 50ms);
    rig.module().done(exchange);
  }
  REQUIRE(rig.picks(200)["b"] < 10);
  rig.module().advance(std::chrono::minutes(10));
  CHECK(rig.picks(200)["b"] > 50);
}

// One request a second for so long, each answered before the next comes: in 5 ms, or in what
// `took_by_a(number of its answers so far)` says where a is picked. Gives how often a was picked.
template <typename TookByA>
int serve(BalanceRig& rig, std::chrono::seconds time, int& answers_of_a, TookByA took_by_a) {
  const int before = answers_of_a;
  for (std::chrono::seconds past{}; past < time; past += 1s) {
    TestExchange exchange(rig.client(), rig.pool());
    const bool is_a = rig.pick(exchange) == "a";
    const Duration took = is_a ? took_by_a(answers_of_a) : Duration(5ms);
    exchange->times.sent = rig.module().now();
    exchange->times.first_byte = rig.module().now() + took;
    exchange->status = 200;
    rig.module().done(exchange);
    answers_of_a += is_a ? 1 : 0;
    rig.module().advance(1s);
  }
  return answers_of_a - before;
}

TEST_CASE("two choices: one slow answer keeps a replica alone for seconds, not for a minute") {
  for (const int slow_one : {0, 40}) {  // a cold start; a pause of one that was quick
    BalanceRig rig({{"a"}, {"b"}}, "policy = \"two-choices\"");
    int answers = 0;
    const auto took = [slow_one](int number) -> Duration {
      return number == slow_one ? Duration(500ms) : Duration(5ms);
    };
    while (answers <= slow_one)
      serve(rig, 1s, answers, took);
    serve(rig, 8s, answers, took);
    CHECK(serve(rig, 40s, answers, took) >= 12);  // about half of them
  }
}

TEST_CASE("two choices: what is slow for good is left alone, but for a try now and then") {
  BalanceRig rig({{"a"}, {"b"}}, "policy = \"two-choices\"");
  int answers = 0;
  const auto took = [](int) { return Duration(500ms); };
  serve(rig, 60s, answers, took);
  const int later = serve(rig, 2000s, answers, took);
  CHECK(later >= 30);
  CHECK(later <= 160);  // of 2000, with those where the second draw missed its few tries
}

TEST_CASE("two choices: errors that come fast do not make a replica attractive") {
  BalanceRig rig({{"a"}}, "policy = \"two-choices\"");
  answer(rig, 10ms);
  const std::uint32_t before = rig.vitals(0).share(0).latency_us;
  CHECK(before == 10'000);
  for (int i = 0; i < 50; ++i)
    answer(rig, 100us, 503);
  CHECK(rig.vitals(0).share(0).latency_us >= before);
  for (int i = 0; i < 50; ++i)
    answer(rig, 100us, 200);
  CHECK(rig.vitals(0).share(0).latency_us < before);
}

TEST_CASE("least requests: the fewest in flight for the weight") {
  BalanceRig rig({{"a", 1}, {"b", 2}, {"c", 1}}, "policy = \"least-requests\"");
  rig.load(0, 2);
  rig.load(1, 3);
  rig.load(2, 2);
  CHECK(rig.picks(50)["b"] == 50);
  rig.load(1, 5);
  CHECK(rig.picks(50).count("b") == 0);
}

TEST_CASE("sessions: a new replica gets new sessions until it has as many as the others") {
  BalanceRig rig({{"old"}, {"new"}}, "policy = \"sessions\"");
  const std::uint32_t bucket = session_bucket(rig.module().wall());
  rig.vitals(0).share(0).sessions.add(bucket, 10);
  std::map<std::string, int> counts;
  for (int i = 0; i < 10; ++i) {
    TestExchange exchange(rig.client(), rig.pool());
    ++counts[rig.pick(exchange)];
    exchange->replica->vitals->share(0).sessions.add(bucket, 1);
    rig.module().done(exchange);
    rig.module().advance(std::chrono::seconds(1));
  }
  CHECK(counts["new"] == 10);
}

TEST_CASE("sessions: parallel first requests spread although none has a session yet") {
  BalanceRig rig({{"a"}, {"b"}, {"c"}}, "policy = \"sessions\"");
  std::vector<std::unique_ptr<TestExchange>> burst;
  std::map<std::string, int> counts;
  for (int i = 0; i < 30; ++i) {
    burst.push_back(std::make_unique<TestExchange>(rig.client(), rig.pool()));
    ++counts[rig.pick(*burst.back())];
  }
  for (const char* id : {"a", "b", "c"})
    CHECK(counts[id] == 10);
}

TEST_CASE("round robin: equal weights take turns, also around one that is down") {
  BalanceRig rig({{"a"}, {"b"}, {"c"}, {"d"}}, "policy = \"round-robin\"");
  std::string before = rig.pick();
  std::set<std::string> round = {before};
  for (int i = 0; i < 3; ++i)
    round.insert(rig.pick());
  CHECK(round.size() == 4);
  rig.take_down(1);
  auto counts = rig.picks(300);
  for (const char* id : {"a", "c", "d"})
    CHECK(counts[id] == 100);
}

TEST_CASE("round robin: workers do not begin at the same place") {
  std::set<std::string> first;
  for (int i = 0; i < 40; ++i) {
    first.insert(BalanceRig({{"a"}, {"b"}, {"c"}}, "policy = \"round-robin\"").pick());
  }
  CHECK(first.size() == 3);
}

TEST_CASE("round robin: a heavy replica's turns are spread over the round") {
  BalanceRig rig({{"heavy", 5}, {"b", 1}, {"c", 1}}, "policy = \"round-robin\"");
  int row = 0;
  int longest_row = 0;
  std::map<std::string, int> counts;
  for (int i = 0; i < 700; ++i) {
    const std::string picked = rig.pick();
    ++counts[picked];
    row = picked == "heavy" ? row + 1 : 0;
    longest_row = std::max(longest_row, row);
  }
  CHECK(counts["heavy"] >= 499);
  CHECK(counts["heavy"] <= 501);
  CHECK(counts["b"] >= 99);
  CHECK(counts["b"] <= 101);
  CHECK(longest_row <= 5);
}

TEST_CASE("random: equal chances") {
  BalanceRig rig({{"a"}, {"b"}, {"c"}, {"d"}}, "policy = \"random\"");
  for (const auto& entry : rig.picks(4'000)) {
    CAPTURE(entry.first);
    CHECK(entry.second > 850);
    CHECK(entry.second < 1'150);
  }
}

TEST_CASE("a pool of which few are up is searched to the end") {
  for (const char* policy : {"policy = \"random\"", "policy = \"two-choices\""}) {
    std::vector<test::ReplicaSketch> sketches;
    for (int i = 0; i < 500; ++i)
      sketches.push_back({"r" + std::to_string(i)});
    BalanceRig rig(sketches, policy);
    for (std::size_t i = 0; i < 500; ++i) {
      if (i != 17 && i != 400) rig.take_down(i);
    }
    auto counts = rig.picks(200);
    CHECK(counts["r17"] + counts["r400"] == 200);
    CHECK(counts["r17"] > 50);
    CHECK(counts["r400"] > 50);
  }
}

// -- hash ---------------------------------------------------------------------------------------

std::string placed(BalanceRig& rig, const std::string& user) {
  TestExchange exchange(rig.client(), rig.pool());
  exchange.header("x-user", user);
  return rig.pick(exchange);
}

TEST_CASE("hash: the same key goes to the same replica, in every worker") {
  const std::vector<test::ReplicaSketch> sketches = {{"a"}, {"b"}, {"c"}};
  BalanceRig one(sketches, "policy = \"hash:header:X-User\"");
  BalanceRig two({{"c"}, {"a"}, {"b"}}, "policy = \"hash:header:X-User\"");
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string user = std::to_string(i);
    CHECK(placed(one, user) == placed(two, user));
    seen.insert(placed(one, user));
  }
  CHECK(seen.size() == 3);
}

TEST_CASE("hash: when a replica goes only its keys move, and they come back with it") {
  BalanceRig rig({{"a"}, {"b"}, {"c"}, {"d"}}, "policy = \"hash:header:x-user\"");
  std::map<std::string, std::string> before;
  for (int i = 0; i < 400; ++i)
    before[std::to_string(i)] = placed(rig, std::to_string(i));
  rig.take_down(2);
  for (const auto& [user, replica] : before) {
    if (replica == "c") {
      CHECK(placed(rig, user) != "c");
    } else {
      CHECK(placed(rig, user) == replica);
    }
  }
  rig.vitals(2).health = Health::kUp;
  for (const auto& [user, replica] : before)
    CHECK(placed(rig, user) == replica);
}

TEST_CASE("hash: one busy key cannot bury its replica") {
  BalanceRig rig({{"a"}, {"b"}, {"c"}, {"d"}}, "policy = \"hash:header:x-user\"");
  std::map<std::string, std::uint32_t> in_flight;
  for (int i = 0; i < 400; ++i) {
    const std::string picked = placed(rig, "everybody");
    ++in_flight[picked];
    for (std::size_t r = 0; r < 4; ++r)
      rig.load(r, in_flight[rig.replica(r).id]);
  }
  for (const auto& [id, count] : in_flight)
    CHECK(count <= 126);  // 1.25 × 100, rounded up
  CHECK(in_flight.size() == 4);
}

TEST_CASE("hash: a few requests at once of one key stay together") {
  BalanceRig rig({{"a"}, {"b"}, {"c"}}, "policy = \"hash:header:x-user\"");
  const std::string home = placed(rig, "u");
  for (std::size_t r = 0; r < 3; ++r) {
    if (rig.replica(r).id == home) rig.load(r, 3);
  }
  CHECK(placed(rig, "u") == home);
}

TEST_CASE("hash: requests without the key are spread") {
  BalanceRig rig({{"a"}, {"b"}}, "policy = \"hash:header:x-user\"");
  auto counts = rig.picks(200);
  CHECK(counts["a"] > 50);
  CHECK(counts["b"] > 50);
}

TEST_CASE("hash: each part of a request can be the key") {
  const auto all_places = [](const std::string& key, auto prepare) {
    BalanceRig rig({{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}, {"g"}, {"h"}},
                   "policy = \"hash:" + key + "\"");
    std::set<std::string> places;
    for (int i = 0; i < 20; ++i) {
      TestExchange exchange(rig.client(), rig.pool());
      prepare(exchange, i);
      places.insert(rig.pick(exchange));
    }
    return places.size();
  };
  const auto number = [](int i) { return std::to_string(i); };
  CHECK(all_places("query:u",
                   [&](TestExchange& e, int i) { e.target("/x?n=" + number(i) + "&u=me"); }) == 1);
  CHECK(all_places("query:u", [&](TestExchange& e, int i) { e.target("/x?u=" + number(i)); }) > 3);
  CHECK(all_places("cookie:u", [&](TestExchange& e, int i) {
          e.header("cookie", "n=" + number(i)).header("cookie", "a=b; u=me; c=d");
        }) == 1);
  CHECK(all_places("cookie:u",
                   [&](TestExchange& e, int i) { e.header("cookie", "u=" + number(i)); }) > 3);
  CHECK(all_places("path", [&](TestExchange& e, int i) { e.target("/same?" + number(i)); }) == 1);
  CHECK(all_places("path", [&](TestExchange& e, int i) { e.target("/" + number(i)); }) > 3);
  CHECK(all_places("client-ip", [&](TestExchange& e, int i) {
          e.target("/" + number(i));
          e->client_address = "192.0.2.1";
        }) == 1);
  CHECK(all_places("client-ip", [&](TestExchange& e, int i) {
          e->client_address = e.arena().copy("192.0.2." + number(i));
        }) > 3);
}

}  // namespace
}  // namespace limpet
