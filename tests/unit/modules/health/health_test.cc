// SPDX-License-Identifier: Apache-2.0
// The settings of health, and ejection by live traffic.
#include "modules/health/health.h"

#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "daemon/base/log.h"
#include "modules/health/settings.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet {
namespace {

using namespace std::chrono_literals;
using test::TestExchange;

/// A pool under health, and traffic that goes well or badly.
class TrafficRig {
 public:
  TrafficRig(const std::vector<std::string>& ids, std::string_view passive)
      : pool_(test::make_pool("web", ids)) {
    log::configure(log::Level::kError, log::Format::kText);
    plan_ = std::make_unique<test::PlanRig>(
        kHealth, *pool_, "[pool.web.health]\npassive = { " + std::string(passive) + " }");
    REQUIRE_MESSAGE(plan_->is_valid(), plan_->mistakes());
    rig_ = std::make_unique<test::ModuleRig>(*pool_, **plan_);
  }
  ~TrafficRig() { log::configure(log::Level::kInfo, log::Format::kText); }
  TrafficRig(const TrafficRig&) = delete;
  TrafficRig& operator=(const TrafficRig&) = delete;

  [[nodiscard]] Vitals& vitals(std::size_t i) { return *pool_->replicas[i].vitals; }
  [[nodiscard]] bool is_out(std::size_t i) { return vitals(i).is_ejected(rig_->now()); }
  void advance(std::chrono::seconds by) { rig_->advance(by); }
  [[nodiscard]] test::ModuleRig& rig() { return *rig_; }

  /// An exchange whose only attempt failed so.
  void fail(std::size_t i, FailureCause cause, Repeat repeat = Repeat::kSafe) {
    TestExchange exchange(client_, pool_.get());
    exchange.failed_on(pool_->replicas[i], cause);
    (void)rig_->fail(exchange, {cause, repeat, 0});
    exchange->answer.status = exchange->status = 502;
    rig_->done(exchange);
  }
  /// An exchange that the replica answered.
  void respond(std::size_t i, std::uint16_t status) {
    TestExchange exchange(client_, pool_.get());
    exchange->replica = &pool_->replicas[i];
    exchange->attempts[exchange->attempts_count++] = {&pool_->replicas[i], {}, false, {}};
    exchange->times.sent = exchange->times.first_byte = rig_->now();
    exchange.respond(status);
    rig_->done(exchange);
  }

  std::unique_ptr<PoolFacts> pool_;
  ClientFacts client_;

 private:
  std::unique_ptr<test::PlanRig> plan_;
  std::unique_ptr<test::ModuleRig> rig_;
};

TEST_CASE("only what the replica caused ejects it") {
  struct Row {
    FailureCause cause;
    bool is_out;
  };
  constexpr Row kRows[] = {
      {FailureCause::kConnectRefused, true}, {FailureCause::kConnectTimeout, true},
      {FailureCause::kConnectFailed, true},  {FailureCause::kReset, true},
      {FailureCause::kBadResponse, true},    {FailureCause::kHeadTimeout, true},
      {FailureCause::kBodyTimeout, true},    {FailureCause::kTruncated, true},
      {FailureCause::kUnsent, false},        {FailureCause::kRefusedStream, false},
  };
  for (const Row& row : kRows) {
    CAPTURE(name_of(row.cause));
    TrafficRig traffic({"a", "b"}, "failures = 3");
    for (int i = 0; i < 3; ++i)
      traffic.fail(0, row.cause);
    CHECK(traffic.is_out(0) == row.is_out);
    CHECK_FALSE(traffic.is_out(1));
  }
}

TEST_CASE("statuses 502, 503 and 504 of the replica count, others do not") {
  struct Row {
    std::uint16_t status;
    bool is_out;
  };
  constexpr Row kRows[] = {{500, false}, {501, false}, {502, true},  {503, true},
                           {504, true},  {505, false}, {400, false}, {429, false}};
  for (const Row& row : kRows) {
    CAPTURE(row.status);
    TrafficRig traffic({"a", "b"}, "failures = 3");
    for (int i = 0; i < 3; ++i)
      traffic.respond(0, row.status);
    CHECK(traffic.is_out(0) == row.is_out);
  }
}

TEST_CASE("limpet's own refusals and clients that leave never eject") {
  TrafficRig traffic({"a", "b"}, "failures = 2");
  for (int i = 0; i < 10; ++i) {
    TestExchange refused(traffic.client_, traffic.pool_.get());
    refused->answer.status = refused->status = 503;  // full, never reached a replica
    traffic.rig().done(refused);

    TestExchange gone(traffic.client_, traffic.pool_.get());
    gone->replica = &traffic.pool_->replicas[0];
    gone->attempts[gone->attempts_count++] = {&traffic.pool_->replicas[0], {}, false, {}};
    gone->ending = Ending::kClientGone;
    traffic.rig().done(gone);

    TestExchange slow(traffic.client_, traffic.pool_.get());
    slow->replica = &traffic.pool_->replicas[0];
    slow->attempts[slow->attempts_count++] = {&traffic.pool_->replicas[0], {}, false, {}};
    slow->answer.status = slow->status = 408;
    slow->ending = Ending::kClientSlow;
    traffic.rig().done(slow);
  }
  CHECK_FALSE(traffic.is_out(0));
}

TEST_CASE("failures count in a row and within the window") {
  TrafficRig traffic({"a", "b"}, "failures = 3, window = \"10s\"");
  SUBCASE("a success between them begins anew") {
    for (int i = 0; i < 20; ++i) {
      traffic.fail(0, FailureCause::kReset);
      traffic.fail(0, FailureCause::kReset);
      traffic.respond(0, 200);
    }
    CHECK_FALSE(traffic.is_out(0));
  }
  SUBCASE("failures too far apart do not add up") {
    for (int i = 0; i < 10; ++i) {
      traffic.fail(0, FailureCause::kReset);
      traffic.advance(6s);
    }
    CHECK_FALSE(traffic.is_out(0));
  }
  SUBCASE("another worker's failures count as well") {
    traffic.fail(0, FailureCause::kReset);
    traffic.fail(0, FailureCause::kReset);
    const test::PlanRig plan(kHealth, *traffic.pool_,
                             "[pool.web.health]\npassive = { failures = 3 }");
    test::ModuleRig other(*traffic.pool_, *plan, 1);
    TestExchange exchange(traffic.client_, traffic.pool_.get());
    exchange.failed_on(traffic.pool_->replicas[0], FailureCause::kReset);
    (void)other.fail(exchange, {FailureCause::kReset, Repeat::kIfAllowed, 0});
    CHECK(traffic.is_out(0));
  }
}

TEST_CASE("one failed attempt counts once, whether the failure phase was asked or not") {
  TrafficRig traffic({"a", "b"}, "failures = 2");
  traffic.fail(0, FailureCause::kReset);  // failure phase and done
  CHECK_FALSE(traffic.is_out(0));
  TestExchange exchange(traffic.client_, traffic.pool_.get());
  exchange.failed_on(traffic.pool_->replicas[0], FailureCause::kTruncated);
  traffic.rig().done(exchange);  // done only
  CHECK(traffic.is_out(0));
}

TEST_CASE("a status that was retried counts against the replica that gave it") {
  TrafficRig traffic({"a", "b"}, "failures = 2");
  for (int i = 0; i < 2; ++i) {
    TestExchange exchange(traffic.client_, traffic.pool_.get());
    exchange.failed_on(traffic.pool_->replicas[0], FailureCause::kStatus);
    (void)traffic.rig().fail(exchange, {FailureCause::kStatus, Repeat::kIfAllowed, 503});
    exchange->replica = &traffic.pool_->replicas[1];
    exchange->attempts[exchange->attempts_count++] = {&traffic.pool_->replicas[1], {}, false, {}};
    exchange->times.first_byte = traffic.rig().now();
    exchange.respond(200);
    traffic.rig().done(exchange);
  }
  CHECK(traffic.is_out(0));
  CHECK_FALSE(traffic.is_out(1));
}

TEST_CASE("an ejection ends by itself, and each repeat lasts longer until the past is forgotten") {
  TrafficRig traffic({"a", "b"}, "failures = 1, eject = \"10s\"");
  traffic.fail(0, FailureCause::kReset);
  traffic.advance(9s);
  CHECK(traffic.is_out(0));
  traffic.advance(1s);
  CHECK_FALSE(traffic.is_out(0));
  CHECK(traffic.vitals(0).ready_since_ns == traffic.rig().now().time_since_epoch().count());
  traffic.fail(0, FailureCause::kReset);
  traffic.advance(19s);
  CHECK(traffic.is_out(0));
  traffic.advance(1s);
  CHECK_FALSE(traffic.is_out(0));
  traffic.advance(std::chrono::seconds(101));
  traffic.fail(0, FailureCause::kReset);
  traffic.advance(10s);
  CHECK_FALSE(traffic.is_out(0));
}

TEST_CASE("never more than max_ejected percent of the pool are out") {
  TrafficRig traffic({"a", "b", "c", "d"}, "failures = 1, max_ejected = 50");
  for (std::size_t i = 0; i < 4; ++i)
    traffic.fail(i, FailureCause::kReset);
  CHECK(traffic.is_out(0));
  CHECK(traffic.is_out(1));
  CHECK_FALSE(traffic.is_out(2));
  CHECK_FALSE(traffic.is_out(3));
  TrafficRig alone({"a"}, "failures = 1");
  alone.fail(0, FailureCause::kReset);
  CHECK_FALSE(alone.is_out(0));
}

TEST_CASE(
    "the cap on ejections does not shield a replica that fails its probes, nor the other way") {
  TrafficRig traffic({"a", "b", "c", "d"}, "failures = 1, max_ejected = 50");
  traffic.fail(0, FailureCause::kReset);
  traffic.fail(1, FailureCause::kReset);
  traffic.vitals(2).health = Health::kDown;  // the prober's word; ejection has no say in it
  traffic.respond(2, 200);
  CHECK(traffic.vitals(2).health == Health::kDown);
  // Three of four are out now; the last is not ejected whatever happens.
  traffic.fail(3, FailureCause::kReset);
  CHECK_FALSE(traffic.is_out(3));
  // A replica that is ejected does not come back early because it answers.
  traffic.respond(0, 200);
  CHECK(traffic.is_out(0));
}

TEST_CASE("ejections are counted by pool, replica and reason") {
  TrafficRig traffic({"a", "b"}, "failures = 1");
  traffic.fail(0, FailureCause::kReset);
  CHECK(traffic.rig()
            .metrics()
            .counter("limpet_replica_ejections_total",
                     {{"pool", "web"}, {"replica", "a"}, {"reason", "reset"}})
            .value() == 1);
}

TEST_CASE("status ranges") {
  struct Row {
    const char* text;
    bool is_valid;
  };
  constexpr Row kRows[] = {
      {"200", true},   {"200-399", true},  {"200-399,404", true}, {"200 - 399 , 404", true},
      {"", false},     {"399-200", false}, {"2xx", false},        {"200,", false},
      {",200", false}, {"99", false},      {"600", false},        {"200-", false}};
  for (const Row& row : kRows) {
    CAPTURE(row.text);
    CHECK(health::StatusRanges::parse(row.text).has_value() == row.is_valid);
  }
  const auto ranges = health::StatusRanges::parse("200-204,404");
  CHECK(ranges->contains(200));
  CHECK(ranges->contains(204));
  CHECK(ranges->contains(404));
  CHECK_FALSE(ranges->contains(205));
}

TEST_CASE("initial states, and what is off") {
  struct Row {
    const char* toml;
    Health initial;
    bool is_probed;
    bool wants_failures;
  };
  constexpr Row kRows[] = {
      {"", Health::kUnproven, true, true},
      {"initial = \"up\"", Health::kUp, true, true},
      {"initial = \"down\"", Health::kDown, true, true},
      {"active = \"off\"", Health::kUp, false, true},
      {"active = { type = \"off\" }", Health::kUp, false, true},
      {"passive = \"off\"", Health::kUnproven, true, false},
      {"passive = { failures = 0 }", Health::kUnproven, true, false},
  };
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  for (const Row& row : kRows) {
    CAPTURE(row.toml);
    const test::PlanRig plan(kHealth, *pool, "[pool.web.health]\n" + std::string(row.toml));
    REQUIRE_MESSAGE(plan.is_valid(), plan.mistakes());
    CHECK(plan->initial_health() == row.initial);
    CHECK((plan->judge(*pool, pool->replicas[0]) != nullptr) == row.is_probed);
    CHECK(plan->wants(Phase::kFailure) == row.wants_failures);
  }
}

TEST_CASE("mistakes in the settings are named") {
  struct Row {
    const char* toml;
    const char* expected;
  };
  constexpr Row kRows[] = {
      {"active = { type = \"htttp\" }", "http"},
      {"active = { path = \"healthz\" }", "is not a path"},
      {"active = { host = \"a b\" }", "is not a host"},
      {"active = { status = \"2xx\" }", "list of statuses"},
      {"active = { interval = \"1ms\" }", "too short"},
      {"active = { timeout = \"31d\" }", "too long"},
      {"passive = { eject = \"36500d\" }", "too long"},
      {"active = { rise = 0 }", "rise"},
      {"active = { jitter = 101 }", "jitter"},
      {"active = \"on\"", "off"},
      {"passive = { max_ejected = 101 }", "max_ejected"},
      {"initial = \"maybe\"", "initial"},
  };
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  const test::PlanRig too_long(
      kHealth, *pool,
      "[pool.web.health]\nactive = { service = \"" + std::string(1025, 'x') + "\" }");
  CHECK_MESSAGE(too_long.mistakes().find("at most 1024 bytes") != std::string::npos,
                too_long.mistakes());
  for (const Row& row : kRows) {
    CAPTURE(row.toml);
    const test::PlanRig plan(kHealth, *pool, "[pool.web.health]\n" + std::string(row.toml));
    CHECK_FALSE(plan.is_valid());
    CHECK_MESSAGE(plan.mistakes().find(row.expected) != std::string::npos, plan.mistakes());
  }
}

}  // namespace
}  // namespace limpet
