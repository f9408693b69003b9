// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/doubts.h"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "modules/mcp/desk.h"
#include "tests/support/exchange_fixture.h"

namespace limpet::mcp {
namespace {

using std::chrono::seconds;
using Finding = Doubt::Finding;

/// Calls that a test answers.
class FakeCalls final : public ReplicaCalls {
 public:
  struct Handle final : ReplicaCall {
    Handle(FakeCalls& of, CallOwner& asker) : calls(of), owner(&asker) {}
    ~Handle() override { std::erase(calls.open, this); }
    FakeCalls& calls;
    CallOwner* owner;
  };

  std::unique_ptr<ReplicaCall> call(CallRequest request, CallOwner& owner) override {
    asked.push_back(std::move(request));
    auto handle = std::make_unique<Handle>(*this, owner);
    open.push_back(handle.get());
    return handle;
  }
  void answer(std::uint16_t status, std::string_view body) const {
    Arena arena;
    ResponseHead head(arena);
    head.status = status;
    head.fields.add(FieldName::kContentType, "application/json");
    CallOwner* owner = open.back()->owner;
    owner->on_call_head(head);
    owner->on_call_body(body);
    owner->on_call_end();
  }
  void fail(FailureCause cause) const { open.back()->owner->on_call_failed(cause); }

  std::vector<CallRequest> asked;
  std::vector<Handle*> open;
};

struct FakeDoor final : StreamDoor {
  bool put(std::string_view) override { return false; }
  void end() override {}
  void lose_replica() override { ++losses; }
  int losses = 0;
};

/// A session's call that was sent to replica a at the start.
struct Waiting {
  explicit Waiting(Duration hang_after = kForever) {
    settings.hang_after = hang_after;
    worker.set_calls(&calls);
    exchange->method("POST").target("/mcp");
    Exchange& e = **exchange;
    e.replica = &pool->replicas[0];
    e.session = {.client_id = "client's", .original_id = "original"};
    e.is_request_body_whole = true;
    e.door = &door;
    e.times.sent = test::kStartInstant;
    at(seconds(0));
    doubt.begin();
  }
  void at(Duration since_sent) {
    now = test::kStartInstant + since_sent;
    worker.set_now(now, test::kStartWall);
    hands.doubts.on_tick(now);
  }
  std::uint64_t counted(const std::string& result) {
    return metrics
        .counter("limpet_mcp_doubts_total", {{"pool", "web"}, {"replica", "a"}, {"result", result}})
        .value();
  }

  std::unique_ptr<PoolFacts> pool = test::make_pool("web", std::vector<std::string>{"a", "b"});
  McpSettings settings;
  PoolState state{{}, {}};
  WorkerHands hands{state.store};
  MetricSet metrics;
  WorkerServices worker{0, metrics, nullptr};
  Numbers numbers{metrics, "web"};
  Farewells farewells;
  FakeCalls calls;
  FakeDoor door;
  ClientFacts client;
  std::unique_ptr<test::TestExchange> exchange =
      std::make_unique<test::TestExchange>(client, pool.get());
  Desk desk{settings, state, *pool, worker, hands, numbers, farewells};
  Doubt doubt{desk, **exchange};
  Instant now{};
};

constexpr std::string_view kFine = R"({"jsonrpc":"2.0","id":"limpet-ping","result":{}})";
constexpr std::string_view kUnknown =
    R"({"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}})";

TEST_CASE(
    "a silent replica is asked on the same session, again and again, and a long call goes on") {
  Waiting waiting;
  waiting.at(seconds(14));
  CHECK(waiting.calls.asked.empty());
  Duration since{0};
  for (std::size_t turn = 1; turn <= 40; ++turn) {
    since += seconds(15);
    waiting.at(since);
    REQUIRE(waiting.calls.asked.size() == turn);
    waiting.at(since + seconds(1));
    REQUIRE(waiting.calls.asked.size() == turn);
    waiting.calls.answer(200, kFine);
    since += seconds(1);
  }
  CHECK(waiting.calls.asked.back().replica == &waiting.pool->replicas[0]);
  CHECK(waiting.calls.asked.back().body.find("\"ping\"") != std::string::npos);
  CHECK(waiting.door.losses == 0);
  CHECK(waiting.counted("alive") == 40);
}

TEST_CASE("a replica that does not know the session any more is let go") {
  Waiting waiting;
  waiting.at(seconds(15));
  waiting.calls.answer(404, kUnknown);
  CHECK(waiting.door.losses == 1);
  CHECK(waiting.doubt.take_finding() == Finding::kDenied);
  CHECK(waiting.doubt.take_finding() == Finding::kNone);
  CHECK(waiting.counted("lost") == 1);
}

TEST_CASE("what is no plain word about the session ends no call") {
  const std::string odd =
      R"({"jsonrpc":"2.0","id":"limpet-ping","error":{"code":-32000,"message":"busy"}})";
  constexpr std::array<std::uint16_t, 12> kStatuses = {200, 202, 400, 401, 403, 405,
                                                       409, 422, 429, 500, 502, 503};
  for (const std::uint16_t status : kStatuses) {
    Waiting waiting;
    waiting.at(seconds(15));
    waiting.calls.answer(status, odd);
    CHECK(waiting.door.losses == 0);
    CHECK(waiting.counted("alive") == 1);
  }
  // One that ends in order takes no connections, and answers what it has begun.
  for (const FailureCause cause : {FailureCause::kConnectRefused, FailureCause::kConnectTimeout,
                                   FailureCause::kHeadTimeout, FailureCause::kReset}) {
    Waiting waiting;
    for (int turn = 1; turn < 100; ++turn) {
      waiting.at(seconds(20) * turn);
      waiting.calls.fail(cause);
    }
    CHECK(waiting.door.losses == 0);
    CHECK(waiting.counted("silent") == 99);
  }
}

TEST_CASE("a replica that answers no ping either is let go where the operator says when") {
  Waiting waiting(seconds(60));
  waiting.at(seconds(20));
  waiting.calls.answer(200, kFine);
  for (const int moment : {40, 60, 79}) {
    waiting.at(seconds(moment));
    waiting.calls.fail(FailureCause::kHeadTimeout);
    CHECK(waiting.door.losses == 0);
  }
  waiting.at(seconds(95));
  waiting.calls.fail(FailureCause::kHeadTimeout);
  CHECK(waiting.door.losses == 1);
  CHECK(waiting.doubt.take_finding() == Finding::kDeaf);
}

TEST_CASE("nobody is asked where nothing is owed") {
  Waiting waiting;
  Exchange& exchange = **waiting.exchange;
  SUBCASE("the answer has begun") { exchange.times.first_byte = exchange.times.sent + seconds(1); }
  SUBCASE("nothing was sent") { exchange.times.sent = kNever; }
  SUBCASE("the body is still coming") { exchange.is_request_body_whole = false; }
  SUBCASE("there is no session") { exchange.session = {}; }
  SUBCASE("it is over") { waiting.doubt.end(); }
  waiting.at(seconds(100));
  CHECK(waiting.calls.asked.empty());
}

TEST_CASE("a word about an earlier attempt is none about this one") {
  Waiting waiting;
  waiting.at(seconds(15));
  (*waiting.exchange)->replica = &waiting.pool->replicas[1];
  (*waiting.exchange)->times.sent = test::kStartInstant + seconds(16);
  waiting.calls.answer(404, kUnknown);
  CHECK(waiting.door.losses == 0);
  waiting.at(seconds(31));
  CHECK(waiting.calls.asked.back().replica == &waiting.pool->replicas[1]);
}

TEST_CASE("a request that is over gives up its ping, and the others stay in the list") {
  Waiting waiting;
  Doubt second(waiting.desk, **waiting.exchange);
  Doubt third(waiting.desk, **waiting.exchange);
  second.begin();
  third.begin();
  waiting.at(seconds(15));
  CHECK(waiting.calls.open.size() == 3);
  second.end();
  CHECK(waiting.calls.open.size() == 2);
  third.end();
  waiting.doubt.end();
  CHECK(waiting.calls.open.empty());
  waiting.doubt.begin();
  waiting.at(seconds(40));
  CHECK(waiting.calls.open.size() == 1);
}

TEST_CASE("no more pings are under way than there may be") {
  Waiting waiting;
  std::vector<std::unique_ptr<Doubt>> many;
  for (std::size_t i = 0; i < Doubts::kPingsMax + 10; ++i) {
    many.push_back(std::make_unique<Doubt>(waiting.desk, **waiting.exchange));
    many.back()->begin();
  }
  waiting.at(seconds(15));
  CHECK(waiting.calls.open.size() == Doubts::kPingsMax);
}

}  // namespace
}  // namespace limpet::mcp
