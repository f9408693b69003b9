// SPDX-License-Identifier: Apache-2.0
#include "modules/retry/retry.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet {
namespace {

using test::TestExchange;

class RetryRig {
 public:
  explicit RetryRig(std::string_view toml,
                    const std::vector<std::string>& ids = {"a", "b", "c", "d"})
      : pool_(test::make_pool("web", ids)),
        plan_(kRetry, *pool_, "[pool.web.retry]\n" + std::string(toml)) {
    REQUIRE_MESSAGE(plan_.is_valid(), plan_.mistakes());
    rig_ = std::make_unique<test::ModuleRig>(*pool_, *plan_);
  }
  [[nodiscard]] std::unique_ptr<TestExchange> exchange(std::string_view method = "GET") {
    auto exchange = std::make_unique<TestExchange>(client_, pool_.get());
    exchange->method(method);
    return exchange;
  }
  /// Whether the failure of an attempt on replica `i` is repeated.
  bool fail(TestExchange& exchange, std::size_t i, const Failure& failure) {
    exchange.failed_on(pool_->replicas[i], failure.cause);
    return rig_->fail(exchange, failure) == Verdict::kSettled;
  }
  void succeed(TestExchange& exchange, std::size_t i) {
    exchange->attempts[exchange->attempts_count++] = {&pool_->replicas[i], {}, false, {}};
    exchange.respond(200);
    rig_->done(exchange);
  }
  void give_up(TestExchange& exchange) {
    exchange->answer.status = exchange->status = 502;
    rig_->done(exchange);
  }
  [[nodiscard]] std::uint64_t retries(const char* result) {
    return rig_->metrics()
        .counter("limpet_retries_total", {{"pool", "web"}, {"result", result}})
        .value();
  }
  [[nodiscard]] std::uint64_t exhausted() {
    return rig_->metrics()
        .counter("limpet_retry_budget_exhausted_total", {{"pool", "web"}})
        .value();
  }
  [[nodiscard]] PoolFacts& pool() { return *pool_; }
  [[nodiscard]] const ModulePlan& plan() const { return *plan_; }

 private:
  std::unique_ptr<PoolFacts> pool_;
  test::PlanRig plan_;
  std::unique_ptr<test::ModuleRig> rig_;
  ClientFacts client_;
};

constexpr Failure kRefused{FailureCause::kConnectRefused, Repeat::kSafe, 0};

TEST_CASE("what is repeated, for which method, with which list") {
  struct Row {
    const char* on;
    const char* method;
    FailureCause cause;
    Repeat repeat;
    std::uint16_t status;
    bool is_repeated;
  };
  using enum FailureCause;
  using enum Repeat;
  constexpr Row kRows[] = {
      // Provably not processed: any method, when listed.
      {"\"connect\"", "POST", kConnectRefused, kSafe, 0, true},
      {"\"connect\"", "POST", kConnectTimeout, kSafe, 0, true},
      {"\"connect\"", "POST", kConnectFailed, kSafe, 0, true},
      {"\"unsent\"", "POST", kUnsent, kSafe, 0, true},
      {"\"refused-stream\"", "POST", kRefusedStream, kSafe, 0, true},
      {"\"unsent\"", "POST", kConnectRefused, kSafe, 0, false},
      {"\"connect\"", "GET", kUnsent, kSafe, 0, false},
      {"", "GET", kConnectRefused, kSafe, 0, false},
      // Perhaps processed: idempotent methods only, when listed.
      {"\"idempotent\"", "GET", kReset, kIfAllowed, 0, true},
      {"\"idempotent\"", "PUT", kHeadTimeout, kIfAllowed, 0, true},
      {"\"idempotent\"", "DELETE", kBadResponse, kIfAllowed, 0, true},
      {"\"idempotent\"", "POST", kReset, kIfAllowed, 0, false},
      {"\"idempotent\"", "PATCH", kReset, kIfAllowed, 0, false},
      {"\"idempotent\"", "PURGE", kReset, kIfAllowed, 0, false},
      {"\"connect\", \"unsent\"", "GET", kReset, kIfAllowed, 0, false},
      // Never.
      {"\"connect\", \"idempotent\"", "GET", kConnectRefused, kForbidden, 0, false},
      {"\"idempotent\"", "GET", kTruncated, kForbidden, 0, false},
      // Statuses: idempotent methods, when listed.
      {"\"503\"", "GET", kStatus, kIfAllowed, 503, true},
      {"\"503\"", "GET", kStatus, kIfAllowed, 502, false},
      {"\"503\"", "POST", kStatus, kIfAllowed, 503, false},
      {"\"502\", \"504\"", "GET", kStatus, kIfAllowed, 504, true},
      {"\"503\"", "GET", kStatus, kForbidden, 503, false},
      {"\"idempotent\"", "GET", kStatus, kIfAllowed, 503, false},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.on);
    CAPTURE(row.method);
    CAPTURE(name_of(row.cause));
    RetryRig rig("on = [" + std::string(row.on) + "]");
    const auto exchange = rig.exchange(row.method);
    CHECK(rig.fail(*exchange, 0, {row.cause, row.repeat, row.status}) == row.is_repeated);
  }
}

TEST_CASE("a request tries no more replicas than allowed") {
  RetryRig rig("attempts = 3");
  const auto exchange = rig.exchange();
  CHECK(rig.fail(*exchange, 0, kRefused));
  CHECK(rig.fail(*exchange, 1, kRefused));
  CHECK_FALSE(rig.fail(*exchange, 2, kRefused));
  CHECK(rig.plan().attempts_max() == 3);
}

TEST_CASE("the attempts of one request are distinct: without another replica there is no retry") {
  RetryRig rig("attempts = 8", {"a", "b"});
  const auto exchange = rig.exchange();
  CHECK(rig.fail(*exchange, 0, kRefused));
  Candidates candidates(rig.pool(), **exchange, {}, test::kStartInstant, false);
  CHECK(candidates.standing(rig.pool().replicas[0]) == Standing::kTried);
  CHECK_FALSE(rig.fail(*exchange, 1, kRefused));

  SUBCASE("others that are down, drained or ejected are no other replicas") {
    rig.pool().replicas[1].vitals->admin = AdminState::kDrain;
    CHECK_FALSE(rig.fail(*rig.exchange(), 0, kRefused));
    rig.pool().replicas[1].vitals->admin = AdminState::kReady;
    rig.pool().replicas[1].vitals->health = Health::kDown;
    CHECK_FALSE(rig.fail(*rig.exchange(), 0, kRefused));
  }
  SUBCASE("with nobody up at all, health is disregarded here as in the choice") {
    for (auto& replica : rig.pool().replicas)
      replica.vitals->health = Health::kDown;
    CHECK(rig.fail(*rig.exchange(), 0, kRefused));
  }
}

TEST_CASE("with one attempt the module wants no phase") {
  RetryRig rig("attempts = 1\non = [\"503\"]");
  CHECK_FALSE(rig.plan().wants(Phase::kFailure));
  CHECK_FALSE(rig.plan().retries_status(503));
}

TEST_CASE("listed statuses are announced") {
  RetryRig rig("on = [\"502\", \"504\"]");
  CHECK(rig.plan().retries_status(502));
  CHECK_FALSE(rig.plan().retries_status(503));
  CHECK(rig.plan().retries_status(504));
  CHECK_FALSE(rig.plan().retries_status(200));
}

TEST_CASE("the budget bounds the retries that run at once, never below three") {
  RetryRig rig("budget = 20");
  std::vector<std::unique_ptr<TestExchange>> running;
  for (int i = 0; i < 3; ++i) {
    running.push_back(rig.exchange());
    CHECK(rig.fail(*running.back(), 0, kRefused));
  }
  const auto fourth = rig.exchange();
  CHECK_FALSE(rig.fail(*fourth, 0, kRefused));
  CHECK(rig.exhausted() == 1);

  SUBCASE("one that is done makes room") {
    rig.succeed(*running.front(), 1);
    CHECK(rig.fail(*rig.exchange(), 0, kRefused));
  }
  SUBCASE("more live requests of this worker make room, those of others do not") {
    rig.pool().replicas[1].vitals->share(1).in_flight = 100;
    CHECK_FALSE(rig.fail(*rig.exchange(), 0, kRefused));
    rig.pool().replicas[1].vitals->share(0).in_flight = 20;
    CHECK(rig.fail(*rig.exchange(), 0, kRefused));
    CHECK_FALSE(rig.fail(*rig.exchange(), 0, kRefused));
  }
}

TEST_CASE("retries are counted by result") {
  RetryRig rig("attempts = 3");
  const auto good = rig.exchange();
  REQUIRE(rig.fail(*good, 0, kRefused));
  rig.succeed(*good, 1);
  CHECK(rig.retries("success") == 1);
  CHECK(rig.retries("failure") == 0);
  const auto second_time_good = rig.exchange();
  REQUIRE(rig.fail(*second_time_good, 0, kRefused));
  REQUIRE(rig.fail(*second_time_good, 1, kRefused));
  rig.succeed(*second_time_good, 2);
  CHECK(rig.retries("success") == 2);
  CHECK(rig.retries("failure") == 1);
  const auto bad = rig.exchange();
  REQUIRE(rig.fail(*bad, 0, kRefused));
  REQUIRE(rig.fail(*bad, 1, kRefused));
  CHECK_FALSE(rig.fail(*bad, 2, kRefused));
  rig.give_up(*bad);
  CHECK(rig.retries("success") == 2);
  CHECK(rig.retries("failure") == 3);
  const auto plain = rig.exchange();
  rig.succeed(*plain, 0);
  CHECK(rig.retries("success") == 2);
}

TEST_CASE("mistakes in the settings are named") {
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  struct Row {
    const char* toml;
    const char* expected;
  };
  constexpr Row kRows[] = {{"attempts = 0", "attempts"},
                           {"attempts = 9", "attempts"},
                           {"budget = 101", "budget"},
                           {"on = [\"conect\"]", "connect"},
                           {"on = [503]", "on"}};
  for (const Row& row : kRows) {
    CAPTURE(row.toml);
    const test::PlanRig plan(kRetry, *pool, "[pool.web.retry]\n" + std::string(row.toml));
    CHECK_FALSE(plan.is_valid());
    CHECK(plan.mistakes().find(row.expected) != std::string::npos);
  }
}

}  // namespace
}  // namespace limpet
