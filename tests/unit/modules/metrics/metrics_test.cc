// SPDX-License-Identifier: Apache-2.0
#include "modules/metrics/metrics.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/metrics/catalogue.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet {
namespace {

using namespace std::chrono_literals;
using test::TestExchange;

struct MetricsRig {
  MetricsRig()
      : pool(test::make_pool("web", std::vector<std::string>{"a", "b"})),
        plan(kMetrics, *pool, ""),
        rig(*pool, *plan) {}

  std::uint64_t requests(const char* code_class, const char* affinity) {
    return rig.metrics()
        .counter("limpet_requests_total",
                 {{"pool", "web"}, {"code_class", code_class}, {"affinity", affinity}})
        .value();
  }
  std::uint64_t attempts(const char* replica, const char* code_class) {
    return rig.metrics()
        .counter("limpet_replica_requests_total",
                 {{"pool", "web"}, {"replica", replica}, {"code_class", code_class}})
        .value();
  }
  void attempt(TestExchange& exchange, std::size_t i, FailureCause failure = FailureCause::kNone) {
    exchange->replica = &pool->replicas[i];
    exchange->attempts[exchange->attempts_count++] = {&pool->replicas[i], failure, false, {}};
  }

  std::unique_ptr<PoolFacts> pool;
  test::PlanRig plan;
  test::ModuleRig rig;
  ClientFacts client;
};

TEST_CASE("a request counts once, by class and by what affinity did") {
  MetricsRig m;
  constexpr std::uint16_t kStatuses[] = {200, 204, 302, 404, 503};
  for (const std::uint16_t status : kStatuses) {
    TestExchange exchange(m.client, m.pool.get());
    exchange->affinity.outcome = status == 503 ? Outcome::kRefused : Outcome::kHit;
    exchange->status = status;
    m.rig.done(exchange);
  }
  TestExchange gone(m.client, m.pool.get());
  m.rig.done(gone);
  CHECK(m.requests("2xx", "hit") == 2);
  CHECK(m.requests("3xx", "hit") == 1);
  CHECK(m.requests("4xx", "hit") == 1);
  CHECK(m.requests("5xx", "refused") == 1);
  CHECK(m.requests("none", "none") == 1);
}

TEST_CASE("each attempt counts for its replica") {
  MetricsRig m;
  TestExchange retried(m.client, m.pool.get());
  m.attempt(retried, 0, FailureCause::kConnectRefused);
  m.attempt(retried, 1);
  retried->times.sent = m.rig.now();
  retried->times.first_byte = m.rig.now() + 3ms;
  retried->status = 200;
  m.rig.done(retried);
  CHECK(m.attempts("a", "failed") == 1);
  CHECK(m.attempts("b", "2xx") == 1);
  CHECK(m.attempts("a", "2xx") == 0);

  TestExchange refused(m.client, m.pool.get());
  m.attempt(refused, 0, FailureCause::kReset);
  refused->answer.status = refused->status = 502;
  m.rig.done(refused);
  CHECK(m.attempts("a", "failed") == 2);
  CHECK(m.attempts("a", "5xx") == 0);  // limpet's own answer is not the replica's
  CHECK(m.requests("5xx", "none") == 1);
  auto& ttfb = m.rig.metrics().histogram("limpet_replica_ttfb_seconds", {{"pool", "web"}});
  CHECK(ttfb.sum_ns() == 3'000'000);
}

TEST_CASE("bodies and durations are added up") {
  MetricsRig m;
  for (int i = 0; i < 2; ++i) {
    TestExchange exchange(m.client, m.pool.get());
    exchange->request_body_bytes = 10;
    exchange->response_body_bytes = 500;
    exchange->times.started = m.rig.now();
    exchange->times.done = m.rig.now() + 20ms;
    exchange->status = 200;
    m.rig.done(exchange);
  }
  auto& metrics = m.rig.metrics();
  CHECK(metrics.counter("limpet_request_bytes_total", {{"pool", "web"}}).value() == 20);
  CHECK(metrics.counter("limpet_response_bytes_total", {{"pool", "web"}}).value() == 1'000);
  CHECK(metrics.histogram("limpet_request_duration_seconds", {{"pool", "web"}}).sum_ns() ==
        40'000'000);
}

TEST_CASE("exchanges without a pool count under \"none\"") {
  MetricsRig m;
  MetricSet set;
  WorkerServices worker(0, set, nullptr);
  const auto module = m.plan->start(ModuleServices{worker, nullptr, 0});
  TestExchange exchange(m.client, nullptr);
  exchange->status = 404;
  module->on_done(*exchange);
  CHECK(set.counter("limpet_requests_total",
                    {{"pool", "none"}, {"code_class", "4xx"}, {"affinity", "none"}})
            .value() == 1);
}

TEST_CASE("every name and label that is counted is in the catalogue") {
  MetricsRig m;
  TestExchange exchange(m.client, m.pool.get());
  m.attempt(exchange, 0);
  exchange->times.first_byte = exchange->times.sent = m.rig.now();
  exchange->status = 200;
  m.rig.done(exchange);
  int seen = 0;
  const auto check = [&](const MetricSet::Key& key, const auto&) {
    CAPTURE(key.name);
    const MetricEntry* entry = find_metric(key.name);
    REQUIRE(entry != nullptr);
    std::string labels;
    for (const auto& label : key.labels)
      labels += (labels.empty() ? "" : ",") + label.first;
    CHECK(labels == entry->labels);
    ++seen;
  };
  m.rig.metrics().visit(check, check, check);
  CHECK(seen >= 6);
}

}  // namespace
}  // namespace limpet
