// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/listen_fan.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/modules/mcp/mcp_rig.h"

namespace limpet::mcp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::data_in;
using test::event;

constexpr std::string_view kBody =
    R"({"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}})";
constexpr std::string_view kAcknowledged = "notifications/subscriptions/acknowledged";
constexpr std::string_view kToolsChanged = "notifications/tools/list_changed";

std::string acknowledgement() {
  return event(R"({"jsonrpc":"2.0","method":")" + std::string(kAcknowledged) +
               R"(","params":{"notifications":{"toolsListChanged":true}}})");
}

std::string notice(std::string_view by) {
  return event(R"({"jsonrpc":"2.0","method":")" + std::string(kToolsChanged) +
               R"(","params":{"by":")" + std::string(by) + R"("}})");
}

std::string result() { return event(R"({"jsonrpc":"2.0","id":5,"result":{}})"); }

struct Fans final : ListenFans {
  void on_fan_over(const ListenFan&) noexcept override { ++over; }
  int over = 0;
};

struct Notes final : PartNotes {
  PartNote* note_of(const Exchange&) const noexcept override { return nullptr; }
  void leave_note(Exchange&, std::unique_ptr<PartNote>) override {}
};

/// The client's own request is on a; b and c are the other legs.
struct Rig : test::DeskRig {
  Rig()
      : eras(state.eras, *pool, EraFilter::Asking::kOn),
        context{settings, state, {worker, pool.get(), 0}, notes, numbers, nullptr} {
    exchange.method("POST").target("/mcp?x=1").header("host", "h").header("x-tenant", "t");
    exchange.header("content-length", "9").header("authorization", "Bearer one");
    exchange->request.authority = exchange.arena().copy("asked.example");
    exchange->request_body = kBody;
    exchange->is_request_body_whole = true;
    exchange->replica = &replica("a");
    fan = std::make_unique<ListenFan>(fans, *exchange, context, eras, "5");
  }

  /// The call to a replica that was made last.
  test::FakeCall& leg(std::string_view id) {
    test::FakeCall* found = nullptr;
    for (test::FakeCall& call : calls.made)
      found = call.to() == id ? &call : found;
    REQUIRE(found != nullptr);
    return *found;
  }
  /// What the client sees of bytes of its own leg.
  std::string feed(std::string_view bytes) {
    Buffer scratch;
    return std::string(fan->on_body(bytes, scratch));
  }
  std::string end() {
    Buffer scratch;
    return std::string(fan->on_end(scratch));
  }
  ResponseHook::Mend lose() {
    Buffer last;
    return fan->on_lost(*exchange, failed(FailureCause::kTruncated), last);
  }
  bool go_on(std::string_view on, std::string_view type = test::kEvents,
             std::uint16_t status = 200) {
    exchange->replica = &replica(on);
    exchange.respond(status).response_header("content-type", type);
    return fan->on_continued(*exchange, *exchange->response);
  }
  /// All three legs are open and acknowledged, and the client has seen so.
  void open_all() {
    fan->begin();
    const std::string first = feed(acknowledgement());
    for (const char* id : {"b", "c"}) {
      leg(id).head(200, test::kEvents);
      leg(id).body(acknowledgement());
    }
    CHECK(data_in(first + door.text).size() == 1);
    door.text.clear();
  }
  void tick(Duration after) {
    pass(after);
    fan->on_tick(worker.now());
  }
  [[nodiscard]] std::string told() { return std::exchange(door.text, std::string()); }

  Fans fans;
  Notes notes;
  EraFilter eras;
  PartContext context;
  std::unique_ptr<ListenFan> fan;
};

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

TEST_CASE(
    "every other replica is asked the same, without what belongs to the client's connection") {
  Rig rig;
  rig.fan->begin();
  REQUIRE(rig.calls.made.size() == 2);
  const test::FakeCall& call = rig.leg("b");
  CHECK(call.request.body == kBody);
  CHECK(call.request.target == "/mcp?x=1");
  CHECK(call.request.authority == "asked.example");
  CHECK(call.field("authorization") == "Bearer one");
  CHECK(call.field("x-tenant") == "t");
  CHECK(call.field("host").empty());
  CHECK(call.field("content-length").empty());
  CHECK(rig.leg("c").to() == "c");
}

TEST_CASE(
    "the client sees one acknowledgement, when all have given theirs, and then every notice") {
  Rig rig;
  rig.fan->begin();
  CHECK(rig.feed(acknowledgement()).empty());
  rig.leg("b").head(200, test::kEvents);
  rig.leg("b").body(acknowledgement());
  CHECK(rig.told().empty());
  rig.leg("c").head(200, test::kEvents);
  rig.leg("c").body(acknowledgement());
  const std::vector<std::string> first = data_in(rig.told());
  REQUIRE(first.size() == 1);
  CHECK(has(first[0], kAcknowledged));
  rig.leg("b").body(notice("b"));
  rig.leg("c").body(notice("c"));
  const std::vector<std::string> notices = data_in(rig.told() + rig.feed(notice("a")));
  REQUIRE(notices.size() == 3);
  CHECK(has(notices[0], R"("by":"b")"));
  CHECK(has(notices[2], R"("by":"a")"));
}

TEST_CASE("replicas that take nothing, or do not speak the revision, are not asked") {
  Rig rig;
  rig.replica("b").vitals->admin = AdminState::kDrain;
  rig.eras.at(rig.replica("c").index).learn(Era::kModern, Speaks::kNo);
  rig.fan->begin();
  CHECK(rig.calls.made.empty());
  CHECK(data_in(rig.feed(acknowledgement())).size() == 1);
  rig.replica("b").vitals->admin = AdminState::kReady;
  rig.replica("b").vitals->health = Health::kDown;
  rig.tick(seconds(1));
  CHECK(rig.calls.made.empty());
  rig.replica("b").vitals->health = Health::kUp;
  rig.replica("b").vitals->ejected_until_ns =
      (rig.worker.now() + seconds(5)).time_since_epoch().count();
  rig.tick(seconds(1));
  CHECK(rig.calls.made.empty());
  rig.tick(seconds(5));
  CHECK(rig.calls.made.size() == 1);
}

TEST_CASE("without a way to replicas the client's own leg is all there is") {
  Rig rig;
  rig.worker.set_calls(nullptr);
  rig.fan->begin();
  CHECK(data_in(rig.feed(acknowledgement())).size() == 1);
  rig.tick(seconds(1));
  CHECK(rig.calls.made.empty());
}

TEST_CASE("a leg that says nothing is not waited for beyond its time") {
  Rig rig;
  rig.fan->begin();
  rig.feed(acknowledgement());
  rig.leg("b").head(200, test::kEvents);
  rig.leg("b").body(acknowledgement());
  rig.tick(ListenFan::kAcknowledgeWithin - milliseconds(1));
  CHECK(rig.told().empty());
  rig.tick(milliseconds(1));
  CHECK(has(rig.told(), kAcknowledged));
}

TEST_CASE("where nobody has acknowledged anything, time alone makes no acknowledgement") {
  Rig rig;
  rig.fan->begin();
  rig.tick(10 * ListenFan::kAcknowledgeWithin);
  CHECK(rig.told().empty());
}

TEST_CASE("a leg that refuses, or never answers, does not hold the others back") {
  Rig rig;
  rig.fan->begin();
  rig.feed(acknowledgement());
  rig.leg("b").answer(400, test::kJson, R"({"jsonrpc":"2.0","id":5,"error":{"code":-32601}})");
  CHECK(rig.told().empty());
  rig.leg("c").fail(FailureCause::kConnectRefused);
  CHECK(has(rig.told(), kAcknowledged));
}

TEST_CASE(
    "a leg that breaks is opened again, not too soon, and what it may have told is made up for") {
  Rig rig;
  rig.open_all();
  rig.leg("b").fail(FailureCause::kTruncated);
  rig.tick(seconds(1));
  CHECK(has(rig.told(), kToolsChanged));
  CHECK(rig.calls.made.size() == 2);
  rig.tick(ListenFan::kOpenAgainAfter - seconds(2));
  CHECK(rig.calls.made.size() == 2);
  rig.tick(seconds(1));
  REQUIRE(rig.calls.made.size() == 3);
  CHECK(rig.told().empty());
  rig.leg("b").head(200, test::kEvents);
  rig.leg("b").body(acknowledgement() + notice("b"));
  const std::vector<std::string> after = data_in(rig.told());
  REQUIRE(after.size() == 1);
  CHECK(has(after[0], R"("by":"b")"));
}

TEST_CASE("a leg that broke while it was opened anew is made up for when it is decided") {
  Rig rig;
  rig.open_all();
  rig.leg("b").fail(FailureCause::kTruncated);
  rig.tick(ListenFan::kOpenAgainAfter);
  CHECK(rig.told().empty());
  rig.leg("b").fail(FailureCause::kConnectRefused);
  rig.tick(seconds(1));
  CHECK(data_in(rig.told()).size() == 1);
  rig.tick(seconds(1));
  CHECK(rig.told().empty());
}

TEST_CASE("what a leg says that is no message is dropped, and so is an event without end") {
  Rig rig;
  rig.open_all();
  rig.leg("b").body("data: {]\n\ndata: 7\n\n: comment\n\nnonsense\n\n");
  rig.leg("c").body("data: " + std::string(2 * ListenMerge::kEventBytesMax, 'x'));
  rig.leg("c").body("\n\n" + notice("c"));
  const std::vector<std::string> told = data_in(rig.told());
  REQUIRE(told.size() == 1);
  CHECK(has(told[0], R"("by":"c")"));
}

TEST_CASE("the first leg is lost: the others go on, and the client's stream continues elsewhere") {
  Rig rig;
  rig.open_all();
  CHECK(rig.lose() == ResponseHook::Mend::kContinue);
  rig.leg("c").body(notice("c"));
  CHECK(has(rig.told(), R"("by":"c")"));
  rig.tick(seconds(1));
  CHECK(rig.told().empty());
  CHECK(rig.go_on("b"));
  // b has become the first leg, so the call to it is given up.
  CHECK(rig.calls.made[0].to() == "b");
  CHECK(rig.calls.made[0].is_given_up);
  const std::vector<std::string> told = data_in(rig.feed(acknowledgement()));
  REQUIRE(told.size() == 1);
  CHECK(has(told[0], kToolsChanged));
}

TEST_CASE("while the first leg is lost its replica may be asked as another one") {
  Rig rig;
  rig.open_all();
  static_cast<void>(rig.lose());
  rig.tick(seconds(1));
  CHECK(rig.leg("a").request.body == kBody);
}

TEST_CASE("a stream that was continued for very long breaks, and its client opens it anew") {
  Rig rig;
  static_cast<void>(rig.exchange.arena().allocate(ListenFan::kContinuedBytesMax + 4096));
  CHECK(rig.lose() == ResponseHook::Mend::kBreak);
}

TEST_CASE("only a plain event stream continues a lost one") {
  for (const auto& [type, status] : std::vector<std::pair<std::string_view, std::uint16_t>>{
           {test::kJson, 200}, {test::kEvents, 404}, {"", 200}}) {
    Rig rig;
    rig.open_all();
    static_cast<void>(rig.lose());
    CHECK_FALSE(rig.go_on("b", type, status));
  }
  Rig packed;
  packed.open_all();
  static_cast<void>(packed.lose());
  packed.exchange.respond(200).response_header("content-type", test::kEvents);
  packed.exchange.response_header("content-encoding", "gzip");
  CHECK_FALSE(packed.fan->on_continued(*packed.exchange, *packed.exchange->response));
}

TEST_CASE("notices wait for a client that does not read, up to the bound; then all has changed") {
  Rig rig;
  rig.open_all();
  rig.door.is_shut = true;
  const std::string large = event(R"({"jsonrpc":"2.0","method":")" + std::string(kToolsChanged) +
                                  R"(","params":{"x":")" + std::string(30'000, 'x') + R"("}})");
  for (std::size_t sent = 0; sent + large.size() < ListenFan::kPendingBytesMax;
       sent += large.size())
    rig.leg("b").body(large);
  rig.door.is_shut = false;
  rig.tick(milliseconds(1));
  CHECK(rig.told().size() > ListenFan::kPendingBytesMax / 2);

  rig.door.is_shut = true;
  for (std::size_t sent = 0; sent <= ListenFan::kPendingBytesMax; sent += large.size())
    rig.leg("b").body(large);
  rig.door.is_shut = false;
  rig.tick(milliseconds(1));
  const std::vector<std::string> told = data_in(rig.told());
  REQUIRE(told.size() == 1);
  CHECK(has(told[0], kToolsChanged));
  CHECK(told[0].size() < 1000);
}

TEST_CASE("an answer instead of a stream is told where all fail, whole or not at all") {
  for (const bool is_large : {false, true}) {
    Rig rig;
    rig.fan->begin();
    const std::string refusal = R"({"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":")" +
                                std::string(is_large ? ListenMerge::kEventBytesMax : 3, 'm') +
                                "\"}}\n";
    rig.leg("b").head(400, test::kJson);
    for (std::size_t at = 0; at < refusal.size(); at += 1000)
      rig.leg("b").body(std::string_view(refusal).substr(at, 1000));
    rig.leg("b").end();
    rig.leg("c").fail(FailureCause::kReset);
    const std::vector<std::string> said = data_in(rig.end());
    CHECK(said.size() == (is_large ? 0U : 1U));
    for (const std::string& one : said)
      CHECK(has(one, "-32601"));
  }
}

TEST_CASE("the first leg ends in order: so does the client's stream, whatever the others do") {
  Rig rig;
  rig.open_all();
  const std::vector<std::string> said = data_in(rig.feed(result()) + rig.end());
  REQUIRE(said.size() == 1);
  CHECK(has(said[0], R"("result")"));
  rig.leg("b").body(notice("b"));
  CHECK(rig.told().empty());
}

TEST_CASE("a stream that shall end does so when its client can be told, and not while it is lost") {
  Rig rig;
  rig.open_all();
  rig.door.is_shut = true;
  rig.fan->end_in_order();
  CHECK_FALSE(rig.door.is_ended);
  rig.door.is_shut = false;
  rig.fan->end_in_order();
  CHECK(rig.door.is_ended);
  const std::vector<std::string> said = data_in(rig.told());
  REQUIRE(said.size() == 1);
  CHECK(has(said[0], R"("resultType":"complete")"));

  Rig lost;
  lost.open_all();
  static_cast<void>(lost.lose());
  lost.fan->end_in_order();
  CHECK_FALSE(lost.door.is_ended);
}

TEST_CASE("a client that goes takes all legs with it") {
  Rig rig;
  rig.open_all();
  CHECK(rig.calls.held() == 2);
  rig.fan.reset();
  CHECK(rig.calls.held() == 0);
  CHECK(rig.fans.over == 1);
}

}  // namespace
}  // namespace limpet::mcp
