// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern_tasks.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/support/exchange_fixture.h"

namespace limpet::mcp {
namespace {

using test::TestExchange;

constexpr std::string_view kCreated =
    R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"task","taskId":"t1","status":"working"}})";

struct Rig {
  Rig() : exchange(client, pool.get()) {
    exchange->replica = &pool->replicas[1];
    worker.set_now(test::kStartInstant, test::kStartWall);
  }
  /// Lets a body pass in pieces of `step` octets; gives what came out.
  std::string pass(std::string_view body, TaskScan::Form form, std::size_t step) {
    TaskScan scan(*exchange, table, worker, numbers, form);
    std::string out;
    Buffer scratch;
    for (std::size_t at = 0; at < body.size(); at += step)
      out += scan.on_body(body.substr(at, step), scratch);
    out += scan.on_end(scratch);
    return out;
  }
  std::string home_of(std::string_view task) {
    const auto home = table.home_of(task, test::kStartInstant);
    return home ? home->replica : std::string();
  }

  std::unique_ptr<PoolFacts> pool = test::make_pool("p", std::vector<std::string>{"a", "b"});
  MetricSet metrics;
  WorkerServices worker{0, metrics, nullptr};
  Numbers numbers{metrics, "p"};
  ClientFacts client;
  TestExchange exchange;
  TaskTable table;
};

TEST_CASE("the result that creates a task says where it is, in JSON and in events, cut anywhere") {
  const std::string events = "event: message\r\ndata: " + std::string(kCreated) + "\r\n\r\n: x\n\n";
  for (std::size_t step = 1; step < 40; ++step) {
    Rig json;
    CHECK(json.pass(kCreated, TaskScan::Form::kJson, step) == kCreated);
    CHECK(json.home_of("t1") == "b");
    Rig stream;
    CHECK(stream.pass(events, TaskScan::Form::kEvents, step) == events);
    CHECK(stream.home_of("t1") == "b");
  }
}

TEST_CASE("other results, errors and large ones teach nothing, and pass") {
  for (const std::string& body :
       {std::string(R"({"jsonrpc":"2.0","id":1,"result":{"taskId":"t1"}})"),
        std::string(R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"\"taskId\""}})"),
        "{\"a\":\"" + std::string(TaskScan::kResultBytesMax, 'x') + "\"," +
            std::string(kCreated.substr(1))}) {
    Rig rig;
    CHECK(rig.pass(body, TaskScan::Form::kJson, 1000) == body);
    CHECK(rig.home_of("t1").empty());
    CHECK(rig.table.counts().records == 0);
  }
}

}  // namespace
}  // namespace limpet::mcp
