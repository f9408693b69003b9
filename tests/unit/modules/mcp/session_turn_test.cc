// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_turn.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/unit/modules/mcp/mcp_rig.h"

namespace limpet::mcp {
namespace {

using std::chrono::seconds;
using test::data_in;
using test::event;
using Place = SessionCarrier::Kind;
using Verdict = AnswerJudge::Verdict;

constexpr std::string_view kId = "id";
constexpr std::string_view kCarried = "limpet_mcp_carry_overs_total";
constexpr std::string_view kPing = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
constexpr std::string_view kTool =
    R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}})";
constexpr std::string_view kNotification = R"({"jsonrpc":"2.0","method":"notifications/x"})";
constexpr std::string_view kResponse = R"({"jsonrpc":"2.0","id":9,"result":{}})";

McpSettings with(SessionIds ids, CarryPolicy policy = CarryPolicy::kCompatible) {
  McpSettings settings;
  settings.session_ids = ids;
  settings.carry_over = policy;
  return settings;
}

/// A request of the session "id", which began on a as "old".
struct Rig : test::DeskRig {
  explicit Rig(std::string_view body = kPing, const McpSettings& settings_wanted = {},
               std::string_view method = "POST")
      : test::DeskRig(settings_wanted) {
    state.store.keep(kId, test::record_on("a"), worker.now());
    exchange.method(method).target("/mcp").header("mcp-session-id", kId);
    exchange->request.body = {body.empty() ? BodyLength::Kind::kNone : BodyLength::Kind::kKnown,
                              body.size()};
    exchange->request_body = exchange.arena().copy(body);
    exchange->is_request_body_whole = !body.empty();
    exchange->replica = &replica("a");
    turn = std::make_unique<SessionTurn>(desk, *exchange);
    turn->on_request();
    exchange->session.client_id = kId;
    exchange->session.original_id = "old";
  }

  SessionCarrier::Place find() { return turn->find(*exchange, kId); }
  /// The replica that holds the session is gone, as affinity notes it before it asks.
  SessionCarrier::Place find_lost() {
    exchange->session.is_lost = true;
    return find();
  }
  Verdict fail(FailureCause cause, Repeat repeat) {
    return turn->judge_failure(*exchange, failed(cause, repeat));
  }
  Verdict judge(std::uint16_t status, std::string_view body) {
    exchange.respond(status).response_header("content-type", test::kJson);
    return turn->judge(*exchange, *exchange->response, body, true);
  }
  /// The response of the replica begins, with that session id if any.
  void respond(std::uint16_t status, std::string_view type, std::string_view session = {}) {
    exchange.respond(status).response_header("content-type", type);
    if (!session.empty()) exchange.response_header("mcp-session-id", session);
    turn->on_response();
  }
  std::string feed(std::string_view bytes) {
    Buffer scratch;
    return std::string(exchange->response_hook->on_body(bytes, scratch));
  }
  /// Begins what the exchange is to wait for.
  std::optional<Prelude::Result> wait() { return exchange->prelude->begin(*exchange, host); }
  test::FakeCall& call() { return calls.made.back(); }
  [[nodiscard]] std::uint64_t ended(std::string_view how) const { return counted(kCarried, how); }
  [[nodiscard]] std::string body() { return std::string(exchange->answer.body); }

  std::unique_ptr<SessionTurn> turn;
};

// What is kept of the request
// ----------------------------------------------------------------------------------------------

TEST_CASE("MCP's requests are known by their heads") {
  const auto is_one = [](std::string_view method, std::string_view name, std::string_view value) {
    ClientFacts client;
    test::TestExchange exchange(client, nullptr);
    exchange.method(method).header(name, value);
    return is_mcp_request(exchange->request);
  };
  CHECK(is_one("GET", "mcp-session-id", "x"));
  CHECK(is_one("DELETE", "mcp-protocol-version", "2025-06-18"));
  CHECK(is_one("POST", "accept", "application/json, text/event-stream"));
  CHECK_FALSE(is_one("GET", "accept", "application/json, text/event-stream"));
  CHECK_FALSE(is_one("POST", "accept", "application/json"));
  CHECK_FALSE(is_one("POST", "accept", "text/event-stream"));
}

TEST_CASE(
    "a body up to its bound is kept, so that its call can be sent again, a larger one is not") {
  const auto wanted = [](BodyLength length) {
    Rig rig;
    test::TestExchange exchange(rig.client, rig.pool.get());
    exchange.method("POST");
    exchange->request.body = length;
    SessionTurn turn(rig.desk, *exchange);
    turn.on_request();
    return exchange->body_wanted_bytes;
  };
  using Kind = BodyLength::Kind;
  CHECK(wanted({Kind::kKnown, SessionTurn::kBodyKeptBytes}) == SessionTurn::kBodyKeptBytes);
  CHECK(wanted({Kind::kKnown, SessionTurn::kBodyKeptBytes + 1}) == 0);
  CHECK(wanted({Kind::kUnknown, 0}) == SessionTurn::kBodyKeptBytes);
  CHECK(wanted({Kind::kNone, 0}) == 0);
}

TEST_CASE("a session is busy from its request to its end, and others are not judged") {
  Rig rig;
  CHECK(rig.desk.hands.activity.is_busy(kId));
  CHECK(rig.desk.hands.activity.running_calls() == 1);
  rig.turn->on_done();
  CHECK_FALSE(rig.desk.hands.activity.is_busy(kId));
  test::TestExchange opening(rig.client, rig.pool.get());
  SessionTurn turn(rig.desk, *opening);
  turn.on_request();
  CHECK(opening->carrier == nullptr);
  CHECK(opening->answer_judge == nullptr);
}

// Where a session lives
// ----------------------------------------------------------------------------------------------

TEST_CASE("a session that moved is found where it lives, and its event ids are forgotten") {
  Rig rig;
  rig.exchange.header("last-event-id", "5");
  rig.state.store.move(kId, {"b", "new", test::kStartWall, 0, 0}, rig.worker.now());
  const SessionCarrier::Place place = rig.find_lost();
  CHECK(place.kind == Place::kMoved);
  CHECK(place.replica == &rig.replica("b"));
  CHECK(place.original_id == "new");
  CHECK(rig.exchange.request_values("last-event-id").empty());
  CHECK_FALSE(rig.exchange->session.is_lost);
}

TEST_CASE("the home that is lost as well is not offered again: the session is carried on") {
  Rig rig;
  rig.state.store.move(kId, {"b", "new", test::kStartWall, 0, 0}, rig.worker.now());
  CHECK(rig.find_lost().kind == Place::kMoved);
  CHECK(rig.find_lost().kind == Place::kCarry);
  CHECK(rig.exchange->prelude != nullptr);
}

TEST_CASE("a home on a replica that died since, refused, or is configured no more is none") {
  const auto found = [](const auto& what_happened) {
    Rig rig;
    rig.state.store.move(kId, {"b", "new", test::kStartWall, 0, 0}, rig.worker.now());
    what_happened(rig);
    return rig.find_lost().kind;
  };
  CHECK(found([](Rig& rig) { rig.replica("b").vitals->note_death(test::kStartWall); }) ==
        Place::kCarry);
  CHECK(found([](Rig& rig) {
          rig.exchange.failed_on(rig.replica("b"), FailureCause::kConnectRefused);
        }) == Place::kCarry);
  CHECK(found([](Rig& rig) {
          rig.state.store.move(kId, {"x", "new", test::kStartWall, 0, 0}, rig.worker.now());
        }) == Place::kCarry);
  // A replica that could not be reached in time may live.
  CHECK(found([](Rig& rig) {
          rig.exchange.failed_on(rig.replica("b"), FailureCause::kConnectTimeout);
        }) == Place::kMoved);
}

TEST_CASE("an ended session is not found, wherever it lived") {
  Rig rig;
  rig.state.store.bury(kId, rig.worker.now());
  CHECK(rig.find_lost().kind == Place::kEnded);
  CHECK(rig.counted("limpet_mcp_stale_ids_total") == 1);
}

TEST_CASE("where it is off, and where nothing is known, nothing is carried; it is said once") {
  Rig off(kPing, with(SessionIds::kWrap, CarryPolicy::kOff));
  Rig unknown;
  unknown.state.store.forget(kId);
  for (auto& [rig, how] : std::initializer_list<std::pair<Rig*, std::string_view>>{
           {&off, "off"}, {&unknown, "unknown"}}) {
    CHECK(rig->find_lost().kind == Place::kUnknown);
    CHECK(rig->find_lost().kind == Place::kUnknown);
    CHECK(rig->ended(how) == 1);
    CHECK(rig->counted("limpet_mcp_sessions_lost_total", "gone") == 1);
    CHECK(rig->exchange->prelude == nullptr);
  }
}

TEST_CASE("after as many replicas as may be tried a session is given up") {
  Rig rig;
  for (std::uint32_t turn = 0; turn < CarryPrelude::kTriesMax; ++turn) {
    CHECK(rig.find_lost().kind == Place::kCarry);
    rig.exchange->attempts_count = 0;
    rig.exchange->replica = &rig.replica("b");
    CHECK_FALSE(rig.wait());
    rig.call().fail(FailureCause::kReset);
  }
  CHECK(rig.find_lost().kind == Place::kUnknown);
}

TEST_CASE("what died with its replica is not opened anew in order to be ended") {
  Rig rig("", {}, "DELETE");
  CHECK(rig.find_lost().kind == Place::kEnded);
  CHECK(rig.state.store.is_buried(kId, rig.worker.now()));
  CHECK(rig.counted("limpet_mcp_sessions_ended_total", "deleted") == 1);
  CHECK(rig.exchange->prelude == nullptr);
}

TEST_CASE("a request that asks for nothing but what the carry-over does is answered by it") {
  for (const std::string_view body :
       {kResponse, std::string_view(R"({"jsonrpc":"2.0","method":"notifications/initialized"})")}) {
    Rig rig(body);
    CHECK(rig.find_lost().kind == Place::kCarry);
    rig.exchange->replica = &rig.replica("b");
    CHECK_FALSE(rig.wait());
    rig.call().answer(200, test::kJson, test::initialize_result(), "new");
    rig.call().answer(202, "", "");
    CHECK(rig.host.last == Prelude::Result::kAnswer);
    CHECK(rig.exchange->answer.status == 202);
  }
}

TEST_CASE("a learnt id leads home by its record alone, and for its own principal only") {
  McpSettings settings = with(SessionIds::kLearn);
  settings.bind_to = PrincipalRule::Kind::kHeader;
  settings.bind_header = "x-user";
  Rig rig(kPing, settings);
  CHECK(rig.find().kind == Place::kMoved);
  rig.state.store.keep(kId, test::record_on("a", {77, 0}), rig.worker.now());
  CHECK(rig.find().kind == Place::kUnknown);
  CHECK(rig.exchange->prelude == nullptr);
}

TEST_CASE("a session leaves a drained replica only when nothing else of it is at work there") {
  Rig rig;
  CHECK_FALSE(rig.turn->shall_leave(rig.replica("a")));
  rig.desk.left_replicas.insert("a");
  CHECK_FALSE(rig.turn->shall_leave(rig.replica("b")));
  rig.desk.hands.activity.begin(kId, Doing::kStream, rig.worker.now());
  CHECK_FALSE(rig.turn->shall_leave(rig.replica("a")));
  rig.desk.hands.activity.end(kId, Doing::kStream, rig.worker.now());
  CHECK(rig.turn->shall_leave(rig.replica("a")));
  CHECK(rig.exchange->session.is_lost);
  CHECK(rig.find().kind == Place::kCarry);
  CHECK(rig.counted("limpet_mcp_sessions_lost_total", "draining") == 1);
}

TEST_CASE("answers to the replica's own requests, and ends, do not make a session leave") {
  Rig answer(kResponse);
  Rig ends("", {}, "DELETE");
  Rig off(kPing, with(SessionIds::kWrap, CarryPolicy::kOff));
  for (Rig* rig : {&answer, &ends, &off}) {
    rig->desk.left_replicas.insert("a");
    CHECK_FALSE(rig->turn->shall_leave(rig->replica("a")));
  }
}

// Failures
// ----------------------------------------------------------------------------------------------

TEST_CASE("what was provably not processed is sent again, up to a bound") {
  Rig rig(kTool);
  for (std::uint32_t turn = 0; turn < SessionTurn::kRepeatsMax; ++turn) {
    CHECK(rig.fail(FailureCause::kConnectRefused, Repeat::kSafe) == Verdict::kAgain);
    CHECK_FALSE(rig.exchange->attempts[turn].may_be_tried_again);
  }
  CHECK(rig.fail(FailureCause::kConnectRefused, Repeat::kSafe) == Verdict::kPass);
}

TEST_CASE("a kept connection that had ended says nothing against its replica") {
  for (const FailureCause cause : {FailureCause::kUnsent, FailureCause::kRefusedStream}) {
    Rig rig(kTool);
    CHECK(rig.fail(cause, Repeat::kSafe) == Verdict::kAgain);
    CHECK(rig.exchange->attempts[0].may_be_tried_again);
  }
}

TEST_CASE("a call that may have run is answered with an error for it, and never sent again") {
  Rig rig(kTool);
  CHECK(rig.fail(FailureCause::kReset, Repeat::kIfAllowed) == Verdict::kAnswer);
  CHECK(rig.exchange->answer.status == 200);
  CHECK(rig.body().find(R"("id":1)") != std::string::npos);
  CHECK(rig.body().find("-32000") != std::string::npos);
  CHECK(rig.exchange->ending == Ending::kReplicaFailed);
  CHECK(rig.counted("limpet_mcp_unanswered_calls_total") == 1);
  Rig begun(kTool);
  CHECK(begun.fail(FailureCause::kReset, Repeat::kForbidden) == Verdict::kAnswer);
}

TEST_CASE("what changes nothing is sent again though it may have run; the same replica once") {
  for (const std::string_view body : {kPing, kNotification, kResponse}) {
    CAPTURE(body);
    Rig rig(body);
    CHECK(rig.fail(FailureCause::kReset, Repeat::kIfAllowed) == Verdict::kAgain);
    CHECK(rig.exchange->attempts[0].may_be_tried_again);
    CHECK(rig.fail(FailureCause::kReset, Repeat::kIfAllowed) == Verdict::kAgain);
    CHECK_FALSE(rig.exchange->attempts[1].may_be_tried_again);
  }
  for (const std::string_view method : {"GET", "DELETE"}) {
    Rig rig("", {}, method);
    CHECK(rig.fail(FailureCause::kReset, Repeat::kIfAllowed) == Verdict::kAgain);
  }
}

TEST_CASE("a replica that is silent is not asked the same again") {
  Rig rig;
  CHECK(rig.fail(FailureCause::kHeadTimeout, Repeat::kIfAllowed) == Verdict::kAgain);
  CHECK_FALSE(rig.exchange->attempts[0].may_be_tried_again);
}

TEST_CASE("a call that cannot be read, or awaits no answer, is left to the ordinary rules") {
  for (const std::string_view body : {std::string_view("{]"), std::string_view("[]")}) {
    Rig rig(body);
    CHECK(rig.fail(FailureCause::kReset, Repeat::kIfAllowed) == Verdict::kPass);
  }
  Rig notification(kNotification);
  CHECK(notification.fail(FailureCause::kReset, Repeat::kForbidden) == Verdict::kPass);
  Rig in_part(kTool);
  in_part.exchange->is_request_body_whole = false;
  CHECK(in_part.fail(FailureCause::kReset, Repeat::kForbidden) == Verdict::kPass);
}

TEST_CASE("limits of limpet's own, and exchanges without a session, are not judged") {
  Rig own;
  CHECK(own.fail(FailureCause::kOwnLimit, Repeat::kSafe) == Verdict::kPass);
  Rig without;
  without.exchange->session.client_id = {};
  CHECK(without.fail(FailureCause::kConnectRefused, Repeat::kSafe) == Verdict::kPass);
  Rig untried;
  CHECK(untried.turn->judge_failure(*untried.exchange, {FailureCause::kReset, Repeat::kSafe, 0}) ==
        Verdict::kPass);
}

// Answers
// ----------------------------------------------------------------------------------------------

TEST_CASE("an answer that denies the session is not shown: it is carried over and asked again") {
  Rig rig(kTool);
  CHECK(rig.judge(404, "") == Verdict::kAgain);
  CHECK(rig.exchange->session.is_lost);
  CHECK(rig.find().kind == Place::kCarry);
  CHECK(rig.counted("limpet_mcp_sessions_lost_total", "denied") == 1);
}

TEST_CASE("a session that every replica denies is not found in the end") {
  Rig rig(kTool);
  for (std::uint32_t turn = 0; turn < SessionTurn::kRepeatsMax; ++turn)
    CHECK(rig.judge(404, "") == Verdict::kAgain);
  CHECK(rig.judge(404, "") == Verdict::kAnswer);
  CHECK(rig.exchange->answer.status == 404);
  CHECK(rig.body().find(R"("id":1)") != std::string::npos);
}

TEST_CASE("a doubt is settled by a ping, whatever becomes of that") {
  constexpr std::string_view kDoubtful =
      R"({"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Bad Request"}})";
  const auto settled = [&](const auto& by) {
    Rig rig(kTool);
    CHECK(rig.judge(400, kDoubtful) == Verdict::kWait);
    CHECK_FALSE(rig.wait());
    CHECK(rig.call().field("mcp-session-id") == "old");
    by(rig.call());
    CHECK(rig.host.last == Prelude::Result::kGoOn);
    return rig.judge(400, kDoubtful);
  };
  CHECK(settled([](auto& ping) { ping.answer(404, "", ""); }) == Verdict::kAgain);
  CHECK(settled([](auto& ping) { ping.fail(FailureCause::kConnectRefused); }) == Verdict::kAgain);
  CHECK(settled([](auto& ping) {
          ping.answer(200, test::kJson, R"({"jsonrpc":"2.0","id":"limpet-ping","result":{}})");
        }) == Verdict::kPass);
  CHECK(settled([](auto& ping) { ping.fail(FailureCause::kHeadTimeout); }) == Verdict::kPass);
  Rig cut_off(kTool);
  cut_off.worker.set_calls(nullptr);
  CHECK(cut_off.judge(400, kDoubtful) == Verdict::kWait);
  CHECK(cut_off.wait() == Prelude::Result::kGoOn);
  CHECK(cut_off.judge(400, kDoubtful) == Verdict::kPass);
}

TEST_CASE("a client that goes while its doubt is settled takes the ping along") {
  Rig rig(kTool);
  CHECK(rig.judge(400,
                  R"({"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Bad Request"}})") ==
        Verdict::kWait);
  CHECK_FALSE(rig.wait());
  rig.exchange->prelude->cancel();
  CHECK(rig.calls.held() == 0);
  CHECK(rig.host.told == 0);
}

// Responses
// ----------------------------------------------------------------------------------------------

constexpr std::string_view kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
    R"("capabilities":{},"clientInfo":{"name":"c","version":"1"}}})";

/// A request that opens the session "fresh" on a.
struct Opening : test::DeskRig {
  explicit Opening(const McpSettings& settings_wanted = {}) : test::DeskRig(settings_wanted) {
    exchange.method("POST").target("/mcp");
    exchange->request_body = kInitialize;
    exchange->is_request_body_whole = true;
    exchange->request.body = {BodyLength::Kind::kKnown, kInitialize.size()};
    exchange->replica = &replica("a");
    exchange->session.original_id = "original";
    turn = std::make_unique<SessionTurn>(desk, *exchange);
    turn->on_request();
  }
  void respond(std::uint16_t status, std::string_view body, std::string_view session = "fresh") {
    exchange.respond(status).response_header("content-type", test::kJson);
    if (!session.empty()) exchange.response_header("mcp-session-id", session);
    turn->on_response();
    if (exchange->response_hook == nullptr) return;
    Buffer scratch;
    static_cast<void>(exchange->response_hook->on_body(body, scratch));
    static_cast<void>(exchange->response_hook->on_end(scratch));
  }
  [[nodiscard]] std::optional<SessionRecord> record() {
    return state.store.find("fresh", worker.now());
  }
  std::unique_ptr<SessionTurn> turn;
};

TEST_CASE("a session that is opened is remembered with how it began and where it lives") {
  Opening rig;
  rig.respond(200, test::initialize_result());
  const auto record = rig.record();
  REQUIRE(record);
  CHECK(record->home.replica == "a");
  CHECK(record->home.original_id == "original");
  REQUIRE(record->birth != nullptr);
  CHECK(record->birth->initialize == kInitialize);
  CHECK(record->birth->target == "/mcp");
  CHECK(rig.counted("limpet_mcp_sessions_started_total", "a") == 1);
  CHECK(rig.counted("limpet_mcp_clients_total", "c") == 1);
}

TEST_CASE("an initialize that opened nothing, or nothing that can be kept, is not remembered") {
  const auto remembers = [](std::uint16_t status, std::string_view body, std::string_view session) {
    Opening rig;
    rig.respond(status, body, session);
    return rig.record().has_value();
  };
  const std::string result = test::initialize_result();
  CHECK(remembers(200, result, "fresh"));
  CHECK_FALSE(remembers(200, result, ""));
  CHECK_FALSE(remembers(400, result, "fresh"));
  CHECK_FALSE(remembers(200, "{]", "fresh"));
  CHECK_FALSE(remembers(200, R"({"jsonrpc":"2.0","id":0,"error":{"code":-32602}})", "fresh"));
  CHECK_FALSE(remembers(200, result.substr(0, 30), "fresh"));
  McpSettings small;
  small.bounds.record_bytes_max = 10;
  Opening large(small);
  large.respond(200, result);
  CHECK_FALSE(large.record());
  CHECK(large.state.store.counts().too_large == 1);
}

TEST_CASE("a session whose server says no version is led home, and not opened anew") {
  Opening rig;
  rig.respond(200, R"({"jsonrpc":"2.0","id":0,"result":{}})");
  const auto record = rig.record();
  REQUIRE(record);
  CHECK(record->birth == nullptr);
}

TEST_CASE("what a client sets is remembered once its replica has taken it") {
  constexpr std::string_view kLevel =
      R"({"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}})";
  const auto level = [&](std::uint16_t status) {
    Rig rig(kLevel);
    rig.respond(status, test::kJson);
    return rig.state.store.find(kId, rig.worker.now())->level;
  };
  CHECK(level(200) == "debug");
  CHECK(level(500).empty());
  const std::string subscribe =
      R"({"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"u"}})";
  Rig rig(subscribe);
  rig.respond(200, test::kJson);
  CHECK(rig.state.store.find(kId, rig.worker.now())->subscriptions.size() == 1);
  Rig unsubscribes(
      R"({"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"u"}})");
  CHECK(unsubscribes.state.store.subscribe(kId, "u") == Keeping::kKept);
  unsubscribes.respond(200, test::kJson);
  CHECK(unsubscribes.state.store.find(kId, unsubscribes.worker.now())->subscriptions.empty());
}

TEST_CASE(
    "a DELETE that its replica took ends the session for good, one that it refused does not") {
  Rig ends("", {}, "DELETE");
  ends.respond(200, "");
  CHECK(ends.state.store.is_buried(kId, ends.worker.now()));
  CHECK(ends.counted("limpet_mcp_sessions_ended_total", "deleted") == 1);
  Rig refused("", {}, "DELETE");
  refused.respond(405, "");
  CHECK_FALSE(refused.state.store.is_buried(kId, refused.worker.now()));
}

TEST_CASE("answers of limpet's own say nothing about a session") {
  Rig rig("", {}, "DELETE");
  rig.exchange->answer.status = 200;
  rig.respond(200, "");
  CHECK_FALSE(rig.state.store.is_buried(kId, rig.worker.now()));
  Rig nobody("", {}, "GET");
  nobody.exchange->replica = nullptr;
  nobody.respond(200, test::kEvents);
  CHECK(nobody.exchange->response_hook == nullptr);
}

TEST_CASE("event streams are watched, but for what is compressed or no stream") {
  Rig get("", {}, "GET");
  get.respond(200, test::kEvents);
  CHECK(get.exchange->response_hook != nullptr);
  Rig tool(kTool);
  tool.respond(200, test::kEvents);
  CHECK(tool.exchange->response_hook != nullptr);
  Rig json(kTool);
  json.respond(200, test::kJson);
  CHECK(json.exchange->response_hook == nullptr);
  Rig refused("", {}, "GET");
  refused.respond(405, test::kEvents);
  CHECK(refused.exchange->response_hook == nullptr);
  Rig packed("", {}, "GET");
  packed.exchange.respond(200).response_header("content-type", test::kEvents);
  packed.exchange.response_header("content-encoding", "br");
  packed.turn->on_response();
  CHECK(packed.exchange->response_hook == nullptr);
}

TEST_CASE("a GET stream whose session was carried over goes on with a word about it") {
  McpSettings settings;
  settings.is_announced = true;
  Rig rig("", settings, "GET");
  auto birth = std::make_shared<SessionBirth>(*test::record_on("a").birth);
  birth->server.capabilities = R"({"tools":{"listChanged":true},"logging":{}})";
  SessionRecord record = test::record_on("a");
  record.birth = birth;
  rig.state.store.keep(kId, record, rig.worker.now());
  rig.respond(200, test::kEvents);
  rig.feed(event(R"({"jsonrpc":"2.0","method":"first"})"));
  Buffer last;
  CHECK(rig.exchange->response_hook->on_lost(*rig.exchange, rig.failed(FailureCause::kReset),
                                             last) == ResponseHook::Mend::kContinue);
  CHECK(rig.find_lost().kind == Place::kCarry);
  rig.exchange->replica = &rig.replica("b");
  CHECK_FALSE(rig.wait());
  rig.call().answer(200, test::kJson,
                    test::initialize_result(R"({"tools":{"listChanged":true},"logging":{}})"),
                    "new");
  rig.call().answer(202, "", "");
  CHECK(rig.host.last == Prelude::Result::kGoOn);
  rig.exchange.respond(200).response_header("content-type", test::kEvents);
  CHECK(rig.exchange->response_hook->on_continued(*rig.exchange, *rig.exchange->response));
  CHECK(data_in(rig.door.text).size() == 2);
  CHECK(rig.door.text.find("tools/list_changed") != std::string::npos);
}

TEST_CASE("a stream without a session is not opened again") {
  Rig rig("", {}, "GET");
  rig.respond(200, test::kEvents);
  rig.exchange->session.client_id = {};
  Buffer last;
  CHECK(rig.exchange->response_hook->on_lost(*rig.exchange, rig.failed(FailureCause::kReset),
                                             last) == ResponseHook::Mend::kBreak);
}

TEST_CASE("calls of tools are timed when they are over, and only good ones") {
  const auto timed = [](std::uint16_t status) {
    Rig rig(kTool);
    rig.respond(status, test::kJson);
    rig.exchange->status = status;
    rig.exchange->times.started = rig.worker.now();
    rig.exchange->times.done = rig.worker.now() + seconds(1);
    rig.turn->on_done();
    std::uint64_t count = 0;
    rig.metrics.visit([](const auto&, const auto&) {}, [](const auto&, const auto&) {},
                      [&](const MetricSet::Key& key, const Histogram& histogram) {
                        if (key.name == "limpet_mcp_tool_call_seconds") count += histogram.sum_ns();
                      });
    return count;
  };
  CHECK(timed(200) > 0);
  CHECK(timed(500) == 0);
}

}  // namespace
}  // namespace limpet::mcp
