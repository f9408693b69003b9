// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/numbers.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/exchange_fixture.h"

using namespace limpet;
using namespace limpet::mcp;

TEST_CASE("numbers: labels that come from clients are bounded") {
  MetricSet metrics;
  Numbers numbers(metrics, "pool");
  const std::size_t asked = Numbers::kToolsMax + 10;
  for (std::size_t i = 0; i < asked; ++i) {
    numbers.note_tool_call("tool" + std::to_string(i), std::chrono::milliseconds(1));
    numbers.note_client(ClientEra::kSession, "client" + std::to_string(i));
  }
  std::size_t tools = 0;
  std::size_t clients = 0;
  std::uint64_t calls = 0;
  metrics.visit(
      [&](const MetricSet::Key& key, const Counter&) {
        clients += key.name == "limpet_mcp_clients_total" ? 1U : 0U;
      },
      [](const MetricSet::Key&, const Gauge&) {},
      [&](const MetricSet::Key& key, const Histogram& histogram) {
        tools += key.name == "limpet_mcp_tool_call_seconds" ? 1U : 0U;
        for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i)
          calls += histogram.count(i);
      });
  CHECK(tools == Numbers::kToolsMax + 1);
  CHECK(clients == Numbers::kClientsMax + 1);
  CHECK(calls == asked);
}

TEST_CASE("numbers: each is told by replica, and clients by their era") {
  const auto pool = test::make_pool("pool", std::vector<std::string>{"a", "b"});
  MetricSet metrics;
  Numbers numbers(metrics, "pool");
  const auto counted = [&](std::string_view name, const Labels& labels) {
    return metrics.counter(name, labels).value();
  };
  numbers.note_ended("a", SessionEnd::kClosed);
  numbers.note_lost("b", LossCause::kDenied);
  numbers.note_carry("b", CarryEnd::kCarried);
  numbers.note_doubt("a", DoubtEnd::kSilent);
  for (const ClientEra era : {ClientEra::kSession, ClientEra::kModern, ClientEra::kLegacy})
    numbers.note_client(era, "x");
  numbers.note_request(ClientEra::kModern, &pool->replicas[1]);
  numbers.note_request(ClientEra::kModern, &pool->replicas[1]);
  numbers.note_request(ClientEra::kLegacy, nullptr);
  numbers.note_listen_drops(ListenDrop::kSlowClient, 3);
  CHECK(counted("limpet_mcp_sessions_ended_total",
                {{"pool", "pool"}, {"replica", "a"}, {"cause", "closed"}}) == 1);
  CHECK(counted("limpet_mcp_sessions_lost_total",
                {{"pool", "pool"}, {"replica", "b"}, {"cause", "denied"}}) == 1);
  CHECK(counted("limpet_mcp_carry_overs_total",
                {{"pool", "pool"}, {"replica", "b"}, {"result", "carried"}}) == 1);
  CHECK(counted("limpet_mcp_doubts_total",
                {{"pool", "pool"}, {"replica", "a"}, {"result", "silent"}}) == 1);
  for (const std::string era : {"session", "modern", "legacy"})
    CHECK(counted("limpet_mcp_clients_total", {{"pool", "pool"}, {"client", "x"}, {"era", era}}) ==
          1);
  CHECK(counted("limpet_mcp_requests_total",
                {{"pool", "pool"}, {"replica", "b"}, {"era", "modern"}}) == 2);
  CHECK(counted("limpet_mcp_requests_total",
                {{"pool", "pool"}, {"replica", ""}, {"era", "legacy"}}) == 1);
  CHECK(counted("limpet_mcp_listen_dropped_total", {{"pool", "pool"}, {"cause", "slow-client"}}) ==
        3);
}

TEST_CASE("numbers: an open stream is counted where it comes from, for as long as it is open") {
  const auto pool = test::make_pool("pool", std::vector<std::string>{"a", "b"});
  MetricSet metrics;
  Numbers numbers(metrics, "pool");
  const auto open = [&](const std::string& replica) {
    return metrics.gauge("limpet_mcp_streams", {{"pool", "pool"}, {"replica", replica}}).value();
  };
  ClientFacts client;
  test::TestExchange exchange(client, pool.get());
  exchange->replica = &pool->replicas[0];
  {
    OpenStream stream(numbers, *exchange);
    CHECK(open("a") == 1);
    exchange->replica = &pool->replicas[1];
    stream.move(*exchange);
    CHECK(open("a") == 0);
    CHECK(open("b") == 1);
    exchange->keep_alives->add();
    CHECK(metrics.counter("limpet_mcp_keep_alives_total", {{"pool", "pool"}, {"replica", "b"}})
              .value() == 1);
  }
  CHECK(open("b") == 0);
}
