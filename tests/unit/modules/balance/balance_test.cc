// SPDX-License-Identifier: Apache-2.0
// What balance does whatever the policy: eligibility, weights, backups, revisions, slow start,
// caps, queue.
#include "modules/balance/balance.h"

#include <string>

#include "tests/unit/modules/balance/balance_rig.h"

namespace limpet {
namespace {

using test::BalanceRig;
using test::TestExchange;

const char* const kAllPolicies[] = {"policy = \"two-choices\"", "policy = \"least-requests\"",
                                    "policy = \"sessions\"",    "policy = \"round-robin\"",
                                    "policy = \"random\"",      "policy = \"hash:header:x-user\""};

TEST_CASE("no policy picks a replica that is down, ejected, drained, weightless, full or tried") {
  for (const char* policy : kAllPolicies) {
    CAPTURE(policy);
    BalanceRig rig({{"down"}, {"ejected"}, {"drain"}, {"zero", 0}, {"full"}, {"tried"}, {"good"}},
                   std::string(policy) + "\nmax_requests = 10");
    rig.take_down(0);
    rig.vitals(1).ejected_until_ns =
        (test::kStartInstant + std::chrono::seconds(9)).time_since_epoch().count();
    rig.vitals(2).admin = AdminState::kDrain;
    rig.load(4, 10);
    for (int i = 0; i < 200; ++i) {
      TestExchange exchange(rig.client(), rig.pool());
      exchange.failed_on(rig.replica(5), FailureCause::kConnectRefused);
      exchange.header("x-user", std::to_string(i));
      REQUIRE(rig.pick(exchange) == "good");
    }
  }
}

TEST_CASE("every policy gives new requests in proportion to the weights") {
  for (const char* policy : kAllPolicies) {
    CAPTURE(policy);
    BalanceRig rig({{"a", 1}, {"b", 3}}, policy);
    int heavy = 0;
    for (int i = 0; i < 4'000; ++i) {
      TestExchange exchange(rig.client(), rig.pool());
      exchange.header("x-user", std::to_string(i));
      heavy += rig.pick(exchange) == "b" ? 1 : 0;
      rig.module().done(exchange);
    }
    CHECK(heavy > 2'800);
    CHECK(heavy < 3'200);
  }
}

TEST_CASE("backups serve only while no primary can, and primaries serve again afterwards") {
  for (const char* policy : kAllPolicies) {
    CAPTURE(policy);
    BalanceRig rig({{"a"}, {"b"}, {"spare", 1, "", true}}, policy);
    CHECK(rig.picks(60).count("spare") == 0);
    rig.take_down(0);
    CHECK(rig.picks(20)["b"] == 20);
    rig.take_down(1);
    CHECK(rig.picks(20)["spare"] == 20);
    rig.vitals(0).health = Health::kUp;
    CHECK(rig.picks(20)["a"] == 20);
  }
}

TEST_CASE("new sessions follow the shares of the revisions") {
  BalanceRig rig({{"a", 1, "v1"}, {"b", 1, "v1"}, {"c", 1, "v2"}, {"d", 1, "v3"}}, "",
                 {{"v1", 75}, {"v2", 25}, {"v3", 0}});
  auto counts = rig.picks(4'000);
  CHECK(counts["c"] > 850);
  CHECK(counts["c"] < 1'150);
  CHECK(counts.count("d") == 0);
  SUBCASE("a revision that has nobody eligible leaves its share to the others") {
    rig.take_down(2);
    counts = rig.picks(100);
    CHECK(counts["a"] + counts["b"] == 100);
  }
  SUBCASE("a revision without a share takes nothing even when it is all there is") {
    for (const std::size_t i : {0U, 1U, 2U})
      rig.take_down(i);
    CHECK(rig.pick() == "no replica of the pool is available");
  }
}

TEST_CASE("a recovered replica starts with a tenth of its share and grows to all of it") {
  const char* const policies[] = {"policy = \"two-choices\"\nslow_start = \"100s\"",
                                  "policy = \"round-robin\"\nslow_start = \"100s\"",
                                  "policy = \"random\"\nslow_start = \"100s\"",
                                  "policy = \"least-requests\"\nslow_start = \"100s\""};
  for (const char* policy : policies) {
    CAPTURE(policy);
    BalanceRig rig({{"a"}, {"b"}, {"c"}, {"cold"}}, policy);
    rig.vitals(3).ready_since_ns = rig.module().now().time_since_epoch().count();
    const int at_first = rig.picks(4'000)["cold"];
    CHECK(at_first > 60);
    CHECK(at_first < 220);  // 0.1 / 3.1 of 4000 = 129
    rig.module().advance(std::chrono::seconds(50));
    const int half_way = rig.picks(4'000)["cold"];
    CHECK(half_way > 450);
    CHECK(half_way < 800);  // 0.55 / 3.55 = 620
    rig.module().advance(std::chrono::seconds(50));
    const int at_last = rig.picks(4'000)["cold"];
    CHECK(at_last > 850);
    CHECK(at_last < 1'150);
  }
}

TEST_CASE("slow start is not for the start of the daemon, and can be off") {
  BalanceRig always({{"a"}, {"b"}}, "policy = \"round-robin\"");
  CHECK(always.picks(100)["b"] == 50);
  BalanceRig off({{"a"}, {"b"}}, "policy = \"round-robin\"\nslow_start = \"off\"");
  off.vitals(1).ready_since_ns = off.module().now().time_since_epoch().count();
  CHECK(off.picks(100)["b"] == 50);
}

TEST_CASE("a request waits when all are full, and is refused when the wait is over") {
  BalanceRig rig({{"a"}, {"b"}}, "max_requests = 2\nqueue = 7\nqueue_timeout = \"3s\"");
  rig.load(0, 2);
  rig.load(1, 1);
  CHECK(rig.pick() == "b");
  rig.load(1, 2);
  TestExchange exchange(rig.client(), rig.pool());
  const Choice choice = rig.module().select(exchange);
  CHECK(choice.kind == Choice::Kind::kWait);
  CHECK(choice.replica == nullptr);
  CHECK(choice.at_most == std::chrono::seconds(3));
  CHECK(choice.queue_max == 7);
  exchange->is_waiting_over = true;
  CHECK(rig.pick(exchange) == "every replica of the pool is full");
  CHECK(exchange->answer.status == 503);
  CHECK(exchange->answer.retry_after > std::chrono::seconds(0));
  rig.load(0, 0);
  CHECK(rig.pick(exchange) == "a");
}

TEST_CASE("a request that waited for its own replica may still queue for any") {
  BalanceRig rig({{"a"}, {"b"}}, "max_requests = 1\nqueue_timeout = \"3s\"");
  rig.load(0, 1);
  rig.load(1, 1);
  TestExchange exchange(rig.client(), rig.pool());
  exchange->is_waiting_over = true;
  exchange->waited_for = &rig.replica(0);
  const Choice choice = rig.module().select(exchange);
  CHECK(choice.kind == Choice::Kind::kWait);
  CHECK(choice.replica == nullptr);
  CHECK(choice.at_most == std::chrono::seconds(3));
  exchange->waited_for = nullptr;
  CHECK(rig.pick(exchange) == "every replica of the pool is full");
}

TEST_CASE("without a queue a request to a full pool is refused at once") {
  BalanceRig rig({{"a"}}, "max_requests = 1\nqueue = 0");
  rig.load(0, 1);
  CHECK(rig.pick() == "every replica of the pool is full");
}

TEST_CASE("nothing is waited for when nobody is up") {
  BalanceRig rig({{"a"}, {"b", 0}, {"c"}}, "max_requests = 1");
  rig.take_down(0);
  rig.vitals(2).admin = AdminState::kDrain;
  TestExchange exchange(rig.client(), rig.pool());
  CHECK(rig.pick(exchange) == "no replica of the pool is available");
  CHECK(exchange->answer.status == 503);
  CHECK(exchange->answer.retry_after > std::chrono::seconds(0));
}

TEST_CASE("a replica at max_sessions takes no new ones; with all there, new ones are refused") {
  BalanceRig rig({{"a"}, {"b"}}, "max_sessions = 3");
  const std::uint32_t bucket = session_bucket(rig.module().wall());
  rig.vitals(0).share(1).sessions.add(bucket, 3);
  for (int i = 0; i < 10; ++i) {
    CHECK(rig.picks(1)["b"] == 1);
    rig.module().advance(std::chrono::seconds(1));
  }
  rig.vitals(1).share(0).sessions.add(bucket - kLiveSessionBuckets, 3);
  rig.module().advance(std::chrono::seconds(1));
  TestExchange exchange(rig.client(), rig.pool());
  CHECK(rig.pick(exchange) == "every replica of the pool has as many sessions as it may");
  CHECK(exchange->answer.status == 503);
  CHECK(exchange->answer.retry_after > std::chrono::seconds(0));
  rig.module().advance(std::chrono::seconds(60));  // the sessions on b have gone cold
  CHECK(rig.pick() == "b");
}

TEST_CASE("a burst of first requests does not overrun max_sessions") {
  BalanceRig rig({{"a"}, {"b"}}, "max_sessions = 2");
  std::vector<std::unique_ptr<TestExchange>> burst;
  std::map<std::string, int> counts;
  for (int i = 0; i < 6; ++i) {
    burst.push_back(std::make_unique<TestExchange>(rig.client(), rig.pool()));
    ++counts[rig.pick(*burst.back())];
  }
  CHECK(counts["a"] == 2);
  CHECK(counts["b"] == 2);
  for (auto& exchange : burst)
    rig.module().done(*exchange);
  rig.module().advance(std::chrono::seconds(1));
  counts = rig.picks(2);
  CHECK(counts["a"] + counts["b"] == 2);  // none of the burst became a session
}

TEST_CASE("the plan states its limits and its panic threshold") {
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  const test::PlanRig plan(kBalance, *pool,
                           "[pool.web.balance]\nmax_requests = 5\nmax_sessions = 6\n"
                           "panic_threshold = 40");
  REQUIRE_MESSAGE(plan.is_valid(), plan.mistakes());
  REQUIRE(plan->limits().has_value());
  CHECK(plan->limits()->requests_max == 5);
  CHECK(plan->limits()->sessions_max == 6);
  CHECK(plan->panic_threshold_percent() == 40);
  CHECK(plan->wants(Phase::kSelect));
  CHECK_FALSE(plan->wants(Phase::kRequest));
}

TEST_CASE("mistakes in the settings are named") {
  struct Row {
    const char* toml;
    const char* expected;
  };
  const Row rows[] = {
      {"policy = \"two-choises\"", "did you mean \"two-choices\""},
      {"policy = \"zebra\"", "expected two-choices"},
      {"policy = \"hash:\"", "names no key"},
      {"policy = \"hash:header:\"", "names no key"},
      {"policy = \"hash:header:a b\"", "names no key"},
      {"policy = \"hash:colour\"", "names no key"},
      {"max_requests = -1", "max_requests"},
      {"panic_threshold = 101", "panic_threshold"},
      {"queue_timeout = 5", "queue_timeout"},
  };
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  for (const Row& row : rows) {
    CAPTURE(row.toml);
    const test::PlanRig plan(kBalance, *pool, "[pool.web.balance]\n" + std::string(row.toml));
    CHECK_FALSE(plan.is_valid());
    CHECK(plan.mistakes().find(row.expected) != std::string::npos);
  }
}

}  // namespace
}  // namespace limpet
