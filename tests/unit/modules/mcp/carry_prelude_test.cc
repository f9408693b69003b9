// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/carry_prelude.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/unit/modules/mcp/fake_redis.h"
#include "tests/unit/modules/mcp/mcp_rig.h"

namespace limpet::mcp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Result = Prelude::Result;

constexpr std::string_view kCarried = "limpet_mcp_carry_overs_total";
constexpr std::string_view kId = "id";

CarryOrder order(std::string_view id = kId) {
  CarryOrder made;
  made.id = id;
  return made;
}

/// The session "id" has begun on a, which is gone; b was chosen.
struct Rig : test::DeskRig {
  explicit Rig(const McpSettings& settings_wanted = {}) : test::DeskRig(settings_wanted) {
    state.store.keep(kId, test::record_on("a"), worker.now());
    exchange.method("POST").target("/mcp").header("authorization", "Bearer now");
    exchange.header("mcp-session-id", "sealed");
    exchange->session.client_id = kId;
    exchange->session.is_lost = true;
    choose("b");
  }

  void choose(std::string_view id) { exchange->replica = &replica(id); }
  std::optional<Result> begin() { return prelude->begin(*exchange, host); }
  test::FakeCall& call() { return calls.made.back(); }
  /// The replica opens the session as "new"; what follows is not answered yet.
  void open() { call().answer(200, test::kJson, test::initialize_result(), "new"); }
  [[nodiscard]] std::uint64_t ended(std::string_view how) const { return counted(kCarried, how); }
  [[nodiscard]] std::string home() {
    const auto found = state.store.home_of(kId, worker.now());
    return found ? found->replica : "(none)";
  }
  /// The answer that the client gets, as status and body.
  [[nodiscard]] std::string answer() {
    return std::to_string(exchange->answer.status) + " " + std::string(exchange->answer.body);
  }
  [[nodiscard]] bool is_not_found() {
    return answer().starts_with("404 ") && answer().find("-32001") != std::string::npos;
  }

  std::unique_ptr<CarryPrelude> prelude = std::make_unique<CarryPrelude>(desk, order());
};

/// Another exchange of the same session, at the same desk.
struct Second {
  Second(Rig& rig, std::string_view id)
      : exchange(rig.client, rig.pool.get()), prelude(rig.desk, order(id)) {
    exchange.method("POST").target("/mcp");
    exchange->replica = &rig.replica("c");
  }
  test::TestExchange exchange;
  test::FakeHost host;
  CarryPrelude prelude;
};

TEST_CASE(
    "a session is opened anew with the credentials of the request that waits, and lives there") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  CHECK(rig.call().to() == "b");
  CHECK(rig.call().request.body == test::record_on("a").birth->initialize);
  CHECK(rig.call().field("authorization") == "Bearer now");
  CHECK(rig.call().field("mcp-session-id").empty());
  rig.open();
  CHECK(rig.host.told == 0);
  CHECK(rig.call().field("mcp-session-id") == "new");
  rig.call().answer(202, "", "");
  CHECK(rig.host.told == 1);
  CHECK(rig.host.last == Result::kGoOn);
  CHECK(rig.home() == "b");
  CHECK(rig.exchange->session.original_id == "new");
  CHECK(rig.exchange->session.is_carried);
  CHECK_FALSE(rig.exchange->session.is_lost);
  CHECK(rig.exchange.request_value("mcp-session-id") == "new");
  REQUIRE(rig.prelude->new_home());
  CHECK(rig.prelude->new_home()->moves == 1);
  CHECK(rig.ended("carried") == 1);
  CHECK(rig.state.guard.in_flight() == 0);
  rig.prelude.reset();
  CHECK(rig.calls.count(Method::kDelete) == 0);
}

TEST_CASE("the stream of an answer that stays open is not waited for") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  rig.call().head(200, test::kEvents, "new");
  rig.call().body(test::event(test::initialize_result()));
  CHECK(rig.calls.made[0].is_given_up);
  CHECK(rig.call().field("mcp-session-id") == "new");
}

TEST_CASE("a replica that breaks off is left for another one, up to the bound on tries") {
  Rig rig;
  for (std::uint32_t turn = 1; turn < CarryPrelude::kTriesMax; ++turn) {
    CHECK_FALSE(rig.begin());
    rig.call().fail(FailureCause::kReset);
    CHECK(rig.host.last == Result::kChooseAgain);
    CHECK(rig.exchange->attempts_count == turn);
    CHECK(rig.exchange->was_tried(rig.replica("b")));
    CHECK(rig.prelude->may_try());
  }
  CHECK_FALSE(rig.begin());
  rig.call().fail(FailureCause::kTruncated);
  CHECK(rig.host.last == Result::kAnswer);
  CHECK_FALSE(rig.prelude->may_try());
  CHECK(rig.is_not_found());
  CHECK(rig.ended("failed") == 1);
  CHECK(rig.state.guard.in_flight() == 0);
}

TEST_CASE("an exchange whose attempts are used up tries no other replica") {
  Rig rig;
  for (std::size_t i = 0; i + 1 < Exchange::kAttemptsMax; ++i)
    rig.exchange.failed_on(rig.replica("c"), FailureCause::kReset);
  rig.choose("b");
  CHECK_FALSE(rig.begin());
  rig.call().fail(FailureCause::kReset);
  CHECK(rig.host.last == Result::kAnswer);
  CHECK(rig.is_not_found());
}

TEST_CASE("a replica that takes too long is given up, and what it had opened is closed") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  rig.open();
  rig.pass(rig.settings.carry.flight_max - milliseconds(1));
  rig.watches.ring();
  CHECK(rig.host.told == 0);
  rig.pass(milliseconds(1));
  rig.watches.ring();
  CHECK(rig.host.last == Result::kChooseAgain);
  REQUIRE(rig.calls.count(Method::kDelete) == 1);
  CHECK(rig.call().to() == "b");
  CHECK(rig.call().field("mcp-session-id") == "new");
  CHECK(rig.home() == "a");
}

TEST_CASE("answers that open no session end the matter, each by its own name") {
  struct Row {
    std::uint16_t status;
    std::string_view type;
    std::string body;
    std::string_view session;
    std::string_view how;
    std::size_t closed = 0;
  };
  const Row rows[] = {
      {200, test::kJson, "{]", "new", "refused"},
      {200, test::kJson, R"({"jsonrpc":"2.0","id":0,"result":{}})", "new", "refused", 1},
      {200, test::kJson, R"({"jsonrpc":"2.0","id":0,"error":{"code":-32602}})", "", "refused"},
      {200, "text/plain", test::initialize_result(), "new", "refused"},
      {500, "", "", "", "refused"},
      {401, "", "", "", "credentials"},
      {403, "", "", "", "credentials"},
      {200, test::kJson, test::initialize_result(), "", "stateless"},
      {200, test::kJson, test::initialize_result(), "not visible", "stateless"},
      {200, test::kJson, test::initialize_result("{}"), "new", "different", 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.how);
    CAPTURE(row.body);
    Rig rig;
    CHECK_FALSE(rig.begin());
    rig.call().answer(row.status, row.type, row.body, row.session);
    CHECK(rig.host.told == 1);
    CHECK(rig.host.last == Result::kAnswer);
    CHECK(rig.is_not_found());
    CHECK(rig.ended(row.how) == 1);
    CHECK(rig.home() == "a");
    CHECK(rig.state.guard.in_flight() == 0);
    CHECK(rig.calls.count(Method::kDelete) == row.closed);
  }
}

TEST_CASE("a refused initialized leaves no session behind") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  rig.open();
  rig.call().answer(400, "", "");
  CHECK(rig.host.last == Result::kAnswer);
  CHECK(rig.ended("refused") == 1);
  CHECK(rig.calls.count(Method::kDelete) == 1);
}

TEST_CASE("an answer to initialize beyond its bound is a refusal") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  rig.call().head(200, test::kJson, "new");
  const std::string piece(64 * 1024, ' ');
  for (std::size_t sent = 0; sent <= kHandshakeBytesMax; sent += piece.size())
    rig.call().body(piece);
  rig.call().end();
  CHECK(rig.host.last == Result::kAnswer);
  CHECK(rig.ended("refused") == 1);
}

TEST_CASE("what is not known, or is somebody else's, is not opened anew") {
  Rig unknown;
  unknown.state.store.forget(kId);
  CHECK(unknown.begin() == Result::kAnswer);
  CHECK(unknown.ended("unknown") == 1);
  CHECK(unknown.is_not_found());

  Rig nameless;
  SessionRecord without_birth = test::record_on("a");
  without_birth.birth = nullptr;
  nameless.state.store.keep(kId, without_birth, nameless.worker.now());
  CHECK(nameless.begin() == Result::kAnswer);
  CHECK(nameless.ended("unknown") == 1);

  Rig stranger;
  stranger.state.store.keep(kId, test::record_on("a", {1, 2}), stranger.worker.now());
  CarryOrder asked = order();
  asked.presented = {3, 2};
  stranger.prelude->renew(asked);
  CHECK(stranger.begin() == Result::kAnswer);
  CHECK(stranger.ended("principal") == 1);
  for (Rig* rig : {&unknown, &nameless, &stranger}) {
    CHECK(rig->calls.made.empty());
    CHECK(rig->state.guard.in_flight() == 0);
  }
}

TEST_CASE("without a way to replicas the session is lost at once") {
  Rig rig;
  rig.worker.set_calls(nullptr);
  CHECK(rig.begin() == Result::kAnswer);
  CHECK(rig.ended("failed") == 1);
}

TEST_CASE("a session that its client ends meanwhile stays ended, and the new one is closed once") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  rig.open();
  rig.state.store.bury(kId, rig.worker.now());
  rig.call().answer(202, "", "");
  CHECK(rig.host.last == Result::kAnswer);
  CHECK(rig.is_not_found());
  CHECK(rig.ended("ended") == 1);
  CHECK(rig.calls.count(Method::kDelete) == 1);
  CHECK_FALSE(rig.prelude->new_home());
}

TEST_CASE(
    "a record that made room meanwhile is not found again, and the new session is closed once") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  rig.open();
  rig.state.store.forget(kId);
  rig.call().answer(202, "", "");
  CHECK(rig.ended("unknown") == 1);
  CHECK(rig.calls.count(Method::kDelete) == 1);
}

TEST_CASE("a client that goes in the middle leaves nothing behind") {
  Rig rig;
  CHECK_FALSE(rig.begin());
  rig.open();
  rig.prelude->cancel();
  CHECK(rig.host.told == 0);
  CHECK(rig.calls.made[1].is_given_up);
  CHECK(rig.calls.count(Method::kDelete) == 1);
  CHECK(rig.state.guard.in_flight() == 0);
  CHECK(rig.watches.next_alarm() == kNever);

  Rig early;
  CHECK_FALSE(early.begin());
  early.prelude.reset();
  CHECK(early.calls.held() == 0);
  CHECK(early.calls.count(Method::kDelete) == 0);
}

TEST_CASE("who has it already moved goes where it lives now") {
  Rig rig;
  rig.state.store.move(kId, {"c", "moved", test::kStartWall, 0, 0}, rig.worker.now());
  CHECK(rig.begin() == Result::kChooseAgain);
  CHECK(rig.calls.made.empty());
}

TEST_CASE("a second request of the session waits for the first, and goes where that has led") {
  Rig rig;
  Second second(rig, kId);
  CHECK_FALSE(rig.begin());
  CHECK_FALSE(second.prelude.begin(*second.exchange, second.host));
  CHECK(rig.calls.made.size() == 1);
  rig.open();
  rig.call().answer(202, "", "");
  CHECK(second.host.told == 0);
  rig.watches.edge();
  CHECK(second.host.last == Result::kChooseAgain);
  CHECK(rig.calls.made.size() == 2);
}

TEST_CASE("what kept the first one does not keep the second, unless it is what the server is") {
  Rig failing;
  Second goes_on(failing, kId);
  CHECK_FALSE(failing.begin());
  CHECK_FALSE(goes_on.prelude.begin(*goes_on.exchange, goes_on.host));
  failing.call().fail(FailureCause::kReset);
  failing.watches.edge();
  CHECK(goes_on.host.told == 0);
  CHECK(failing.call().to() == "c");

  Rig different;
  Second ends_too(different, kId);
  CHECK_FALSE(different.begin());
  CHECK_FALSE(ends_too.prelude.begin(*ends_too.exchange, ends_too.host));
  different.call().answer(200, test::kJson, test::initialize_result("{}"), "new");
  different.watches.edge();
  CHECK(ends_too.host.last == Result::kAnswer);
  CHECK(ends_too.exchange->answer.status == 404);
}

TEST_CASE("a leader that never comes back is succeeded when its time is over") {
  Rig rig;
  CHECK(rig.state.guard.ask(kId, nullptr, rig.worker.now()).kind == CarryTurn::Kind::kLead);
  CHECK_FALSE(rig.begin());
  CHECK(rig.calls.made.empty());
  rig.pass(rig.settings.carry.flight_max);
  rig.watches.ring();
  CHECK(rig.calls.made.size() == 1);
}

TEST_CASE("a follower that goes is told nothing, and keeps nobody") {
  Rig rig;
  auto second = std::make_unique<Second>(rig, kId);
  CHECK_FALSE(rig.begin());
  CHECK_FALSE(second->prelude.begin(*second->exchange, second->host));
  second.reset();
  rig.open();
  rig.call().answer(202, "", "");
  rig.watches.edge();
  CHECK(rig.host.last == Result::kGoOn);
}

TEST_CASE(
    "many at a time are spread, and what would wait too long is refused with a word on when") {
  McpSettings slow;
  slow.carry.per_second = 1;
  slow.carry.wait_max = seconds(1);
  Rig rig(slow);
  for (const char* id : {"2", "3"})
    rig.state.store.keep(id, test::record_on("a"), rig.worker.now());
  Second later(rig, "2");
  Second refused(rig, "3");
  CHECK_FALSE(rig.begin());
  CHECK_FALSE(later.prelude.begin(*later.exchange, later.host));
  CHECK(rig.calls.made.size() == 1);
  CHECK(refused.prelude.begin(*refused.exchange, refused.host) == Result::kAnswer);
  CHECK(refused.exchange->answer.status == 503);
  CHECK(refused.exchange->answer.retry_after >= seconds(1));
  CHECK(rig.ended("rate") == 1);
  rig.pass(seconds(1));
  rig.watches.ring();
  CHECK(rig.calls.made.size() == 2);
  CHECK(rig.call().to() == "c");
}

TEST_CASE("a request that asks for nothing else is answered by the carry-over itself") {
  Rig rig;
  CarryOrder asked = order();
  asked.is_answered_by_carrying = true;
  rig.prelude->renew(asked);
  CHECK_FALSE(rig.begin());
  rig.open();
  rig.call().answer(202, "", "");
  CHECK(rig.host.last == Result::kAnswer);
  CHECK(rig.exchange->answer.status == 202);
}

TEST_CASE("what leaves a replica that is drained is closed there") {
  Rig rig;
  CarryOrder asked = order();
  asked.cause = LossCause::kDraining;
  rig.prelude->renew(asked);
  CHECK_FALSE(rig.begin());
  rig.open();
  rig.call().answer(202, "", "");
  REQUIRE(rig.calls.count(Method::kDelete) == 1);
  CHECK(rig.call().to() == "a");
  CHECK(rig.call().field("mcp-session-id") == "old");
}

// With a store that the instances share
// ----------------------------------------------------------------------------------------------

struct StoreRig : Rig {
  StoreRig() : shared({redis.address(), {}, seconds(60), seconds(60)}, "p", watches, {}) {
    desk.shared = &shared;
    // The answer to the greeting has to have come.
    CHECK(redis.until(watches, [this] { return is_up(); }));
    redis.asked.clear();
  }
  /// Asks the store, one question at a time, until it answers.
  [[nodiscard]] bool is_up() {
    if (!is_asking && !has_answered) {
      is_asking = true;
      shared.look_up("nobody's", [this](LookedUp found) {
        is_asking = false;
        has_answered = found.kind == LookedUp::Kind::kMissing;
      });
    }
    return has_answered;
  }
  [[nodiscard]] bool until_told() {
    return redis.until(watches, [&] { return host.told > 0 || !calls.made.empty(); });
  }

  test::FakeRedis redis;
  bool is_asking = false;
  bool has_answered = false;
  SharedStore shared;
};

TEST_CASE("another instance says that the session has ended: it is not opened anew") {
  StoreRig rig;
  rig.redis.held[tombstone_key("p", kId)] = "1";
  CHECK_FALSE(rig.begin());
  CHECK(rig.until_told());
  CHECK(rig.host.last == Result::kAnswer);
  CHECK(rig.ended("ended") == 1);
  CHECK(rig.state.store.is_buried(kId, rig.worker.now()));
  CHECK(rig.calls.made.empty());
}

TEST_CASE("another instance has carried it over already: the request goes there") {
  StoreRig rig;
  SessionRecord moved = test::record_on("c");
  moved.home.moves = 1;
  rig.redis.held[record_key("p", kId)] = print_record(moved);
  CHECK_FALSE(rig.begin());
  CHECK(rig.until_told());
  CHECK(rig.host.last == Result::kChooseAgain);
  CHECK(rig.home() == "c");
  CHECK(rig.calls.made.empty());
}

TEST_CASE("what the store says that is no news, no record or nothing does not hinder") {
  for (const std::string& held :
       {print_record(test::record_on("a")), std::string("nonsense"), std::string()}) {
    StoreRig rig;
    if (!held.empty()) rig.redis.held[record_key("p", kId)] = held;
    CHECK_FALSE(rig.begin());
    CHECK(rig.until_told());
    CHECK(rig.host.told == 0);
    REQUIRE(rig.calls.made.size() == 1);
    rig.open();
    rig.call().answer(202, "", "");
    CHECK(rig.host.last == Result::kGoOn);
    CHECK(rig.redis.until(rig.watches, [&] {
      const auto found = rig.redis.held.find(record_key("p", kId));
      return found != rig.redis.held.end() && found->second.find("new") != std::string::npos;
    }));
  }
}

TEST_CASE("a store that does not answer is waited for no longer than it may take") {
  StoreRig rig;
  rig.redis.is_silent = true;
  CHECK_FALSE(rig.begin());
  CHECK(rig.redis.until(rig.watches, [&] { return !rig.redis.asked.empty(); }));
  CHECK(rig.calls.made.empty());
  rig.pass(RedisBounds{}.answer_within + milliseconds(1));
  rig.watches.ring();
  CHECK(rig.calls.made.size() == 1);
  // It is asked once: the next try goes on at once.
  rig.call().fail(FailureCause::kReset);
  CHECK_FALSE(rig.begin());
  CHECK(rig.calls.made.size() == 2);
}

TEST_CASE("a client that goes while the store is asked is not told of its answer") {
  StoreRig rig;
  CHECK_FALSE(rig.begin());
  rig.prelude.reset();
  CHECK(rig.redis.until(rig.watches, [&] { return rig.redis.asked.size() >= 2; }));
  CHECK(rig.host.told == 0);
  CHECK(rig.calls.made.empty());
  CHECK(rig.state.guard.in_flight() == 0);
}

}  // namespace
}  // namespace limpet::mcp
