// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/numbers.h"

#include <doctest/doctest.h>

using namespace limpet;
using namespace limpet::mcp;

TEST_CASE("numbers: labels that come from clients are bounded") {
  MetricSet metrics;
  Numbers numbers(metrics, "pool");
  const std::size_t asked = Numbers::kToolsMax + 10;
  for (std::size_t i = 0; i < asked; ++i) {
    numbers.note_tool_call("tool" + std::to_string(i), std::chrono::milliseconds(1));
    numbers.note_started("a", "client" + std::to_string(i));
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
