// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/listen_merge.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

std::string event(const std::string& json) { return "event: message\ndata: " + json + "\n\n"; }
std::string ack(const std::string& filter) {
  return event(R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{)"
               R"("_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":)" +
               filter + "}}");
}
std::string notice(const std::string& method) {
  return event(R"({"jsonrpc":"2.0","method":")" + method +
               R"(","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7}}})");
}
const std::string kTools = "notifications/tools/list_changed";
const std::string kResult = event(
    R"({"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":7}}})");

std::vector<std::string> data_of(const std::string& stream) {
  struct Sink final : SseSink {
    void on_event(const SseEvent& e) override { all.emplace_back(e.data); }
    std::vector<std::string> all;
  } sink;
  SseScanner scanner;
  scanner.feed(stream, &sink);
  return sink.all;
}

TEST_CASE("the client sees one acknowledgement of all, then the notices of all") {
  ListenMerge merge("7");
  std::string out;
  for (std::uint32_t leg : {0U, 1U, 2U})
    CHECK(merge.add(leg));
  merge.feed(0,
             ": keepalive\n\n" + ack(R"({"toolsListChanged":true,"resourceSubscriptions":["a"]})"),
             out);
  merge.feed(1, ack(R"({"toolsListChanged":true,"resourceSubscriptions":["a","b"]})"), out);
  CHECK(out.empty());
  const std::string last = ack(R"({"promptsListChanged":true,"taskIds":["t"]})");
  for (const char c : last)
    merge.feed(2, {&c, 1}, out);
  REQUIRE(data_of(out).size() == 1);
  CHECK(
      data_of(out)[0] ==
      R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{)"
      R"("_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{)"
      R"("toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a","b"],"taskIds":["t"]}}})");
  out.clear();
  for (std::uint32_t leg : {0U, 1U, 2U})
    merge.feed(leg, notice(kTools), out);
  CHECK(out == notice(kTools) + notice(kTools) + notice(kTools));
  CHECK(ListenMerge::count(out) == 3);
}

TEST_CASE("a notice does not wait for a slow leg, whose acknowledgement comes to nothing") {
  ListenMerge merge("7");
  std::string out;
  CHECK(merge.add(0));
  CHECK(merge.add(1));
  merge.feed(0, ack(R"({"toolsListChanged":true})") + notice(kTools), out);
  CHECK(data_of(out).size() == 2);
  out.clear();
  merge.feed(1, ack(R"({"promptsListChanged":true})"), out);
  CHECK(out.empty());
  merge.feed(1, notice("notifications/prompts/list_changed"), out);
  CHECK(out.empty());
  CHECK(merge.take_drops().unwanted == 1);
  merge.feed(1, notice(kTools), out);
  CHECK(data_of(out).size() == 1);
}

TEST_CASE("the end of a leg is not the end of the stream, the end of all is told once") {
  ListenMerge merge("7");
  std::string out;
  CHECK(merge.add(0));
  CHECK(merge.add(1));
  merge.feed(0, ack(R"({"toolsListChanged":true})"), out);
  merge.feed(1, ack(R"({"toolsListChanged":true})"), out);
  out.clear();
  merge.feed(0, kResult, out);
  merge.finish(0, out);
  CHECK(out.empty());
  CHECK(merge.state_of(0) == ListenMerge::Leg::kEnded);
  CHECK_FALSE(merge.is_over());
  merge.feed(1, kResult, out);
  merge.finish(1, out);
  CHECK(merge.is_over());
  merge.conclude(out);
  merge.conclude(out);
  CHECK(out == kResult);
}

TEST_CASE("a broken leg may come again, and what may have been missed is told") {
  ListenMerge merge("\"x\"");
  std::string out;
  CHECK(merge.add(0));
  merge.feed(0, ack(R"({"toolsListChanged":true,"resourceSubscriptions":["u"]})"), out);
  merge.finish(0, out);
  CHECK(merge.state_of(0) == ListenMerge::Leg::kFailed);
  out.clear();
  CHECK(merge.add(0));
  merge.feed(0, ack(R"({"toolsListChanged":true})"), out);
  CHECK(out.empty());
  merge.tell_everything_changed(out);
  const auto told = data_of(out);
  REQUIRE(told.size() == 2);
  CHECK(told[0] == R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{)"
                   R"("_meta":{"io.modelcontextprotocol/subscriptionId":"x"}}})");
  CHECK(told[1].find(R"("uri":"u")") != std::string::npos);
}

TEST_CASE("a leg that fails does not keep the others from being acknowledged") {
  ListenMerge merge("7");
  std::string out;
  CHECK(merge.add(0));
  CHECK(merge.add(1));
  merge.feed(0, ack(R"({"toolsListChanged":true})"), out);
  merge.finish(1, out);
  CHECK(merge.is_acknowledged());
  CHECK(data_of(out).size() == 1);
}

TEST_CASE("where all fail the answer of one is kept") {
  ListenMerge merge("7");
  std::string out;
  CHECK(merge.add(0));
  CHECK(merge.add(1));
  const std::string refusal =
      R"({"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"Subscription limit reached"}})";
  merge.fail(0, refusal);
  merge.finish(1, out);
  CHECK(merge.is_over());
  CHECK_FALSE(merge.is_acknowledged());
  CHECK(merge.failure() == refusal);
  merge.acknowledge(out);
  merge.conclude(out);
  CHECK(out.empty());
}

TEST_CASE("what is no message, or too long, is dropped and counted") {
  ListenMerge merge("7");
  std::string out;
  CHECK(merge.add(0));
  merge.feed(0, ack(R"({"toolsListChanged":true})"), out);
  out.clear();
  merge.feed(0, event("nonsense"), out);
  merge.feed(0, event("\"" + std::string(ListenMerge::kEventBytesMax + 1, 'x') + "\""), out);
  merge.feed(9, notice(kTools), out);
  CHECK(out.empty());
  CHECK(merge.take_drops().unreadable == 2);
  CHECK(merge.take_drops().unreadable == 0);
}

}  // namespace
}  // namespace limpet::mcp
