// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/legacy_part.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

#include "tests/unit/modules/mcp/mcp_rig.h"

namespace limpet::mcp {
namespace {

constexpr std::string_view kEndpoint = "event: endpoint\ndata: /m?sessionId=abc\n\n";

struct Notes final : PartNotes {
  PartNote* note_of(const Exchange&) const noexcept override { return left.get(); }
  void leave_note(Exchange&, std::unique_ptr<PartNote> note) override { left = std::move(note); }
  std::unique_ptr<PartNote> left;
};

struct Sealer final : SessionSealer {
  std::string_view seal(Exchange& exchange, std::string_view original) override {
    return exchange.arena.copy("TOKEN-" + std::string(original));
  }
};

McpSettings learning() {
  McpSettings settings;
  settings.session_ids = SessionIds::kLearn;
  return settings;
}

struct Rig : test::DeskRig {
  explicit Rig(const McpSettings& settings_wanted = {})
      : test::DeskRig(settings_wanted),
        part({settings, state, {worker, pool.get(), 0}, notes, numbers, nullptr}) {
    exchange.header("accept", "text/event-stream");
    exchange->replica = &replica("b");
  }

  /// The stream's head has come.
  void respond(std::uint16_t status = 200, std::string_view type = test::kEvents) {
    exchange.respond(status).response_header("content-type", type);
    exchange->response->body = {BodyLength::Kind::kUnknown, 0};
    part.on_response(*exchange);
  }
  std::string feed(std::string_view bytes) {
    Buffer scratch;
    return std::string(exchange->response_hook->on_body(bytes, scratch));
  }
  std::string end() {
    Buffer scratch;
    return std::string(exchange->response_hook->on_end(scratch));
  }
  /// A POST to the session of that query.
  [[nodiscard]] std::unique_ptr<test::TestExchange> post(std::string_view target) {
    auto posted = std::make_unique<test::TestExchange>(client, pool.get());
    posted->method("POST").target(target);
    return posted;
  }
  /// Where its id leads.
  SessionCarrier::Place lead(std::string_view id) {
    const auto posted = post("/m?sessionId=" + std::string(id));
    CHECK(part.on_request(**posted) == Taking::kMine);
    REQUIRE((*posted)->carrier != nullptr);
    return (*posted)->carrier->find(**posted, id);
  }

  Notes notes;
  Sealer sealer;
  LegacyPart part;
};

TEST_CASE("a GET for events and POSTs with an id in the query are its own, nothing else is") {
  Rig rig;
  CHECK(rig.part.on_request(*rig.exchange) == Taking::kMine);
  CHECK(rig.part.on_request(**rig.post("/m?session_id=1")) == Taking::kMine);
  CHECK(rig.part.on_request(**rig.post("/m?sessionId=")) == Taking::kNotMine);
  CHECK(rig.part.on_request(**rig.post("/m")) == Taking::kNotMine);
  const auto page = rig.post("/m");
  page->method("GET");
  CHECK(rig.part.on_request(**page) == Taking::kNotMine);
  const auto later = rig.post("/m?sessionId=1");
  later->header("mcp-session-id", "2");
  CHECK(rig.part.on_request(**later) == Taking::kNotMine);
  const auto modern = rig.post("/m?sessionId=1");
  modern->header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call");
  CHECK(rig.part.on_request(**modern) == Taking::kNotMine);
}

TEST_CASE("the id in the endpoint is sealed, and the stream's length is no longer known") {
  Rig rig;
  rig.exchange->sealer = &rig.sealer;
  rig.exchange.respond(200).response_header("content-type", test::kEvents);
  rig.exchange.response_header("content-length", "40");
  rig.exchange->response->body = {BodyLength::Kind::kKnown, 40};
  rig.part.on_response(*rig.exchange);
  REQUIRE(rig.exchange->response_hook != nullptr);
  CHECK(rig.exchange.response_values("content-length").empty());
  CHECK(rig.exchange->response->body.kind == BodyLength::Kind::kUnknown);
  CHECK(rig.exchange->keep_alive_every == rig.settings.keep_alive);
  CHECK_FALSE(rig.exchange->response_hook->is_between());
  CHECK(rig.feed(kEndpoint) == "event: endpoint\ndata: /m?sessionId=TOKEN-abc\n\n");
  CHECK(rig.exchange->response_hook->is_between());
  CHECK(rig.feed("data: sessionId=abc") == "data: sessionId=abc");
  CHECK_FALSE(rig.exchange->response_hook->is_between());
}

TEST_CASE("answers that are no stream of a replica's pass untouched") {
  for (const auto& [status, type] : std::vector<std::pair<std::uint16_t, std::string_view>>{
           {404, test::kEvents}, {200, test::kJson}, {204, ""}}) {
    Rig rig;
    rig.respond(status, type);
    CHECK(rig.exchange->response_hook == nullptr);
  }
  Rig packed;
  packed.exchange.respond(200).response_header("content-type", test::kEvents);
  packed.exchange.response_header("content-encoding", "gzip");
  packed.part.on_response(*packed.exchange);
  CHECK(packed.exchange->response_hook == nullptr);
  Rig own;
  own.exchange->answer.status = 200;
  own.respond();
  CHECK(own.exchange->response_hook == nullptr);
  Rig nobody;
  nobody.exchange->replica = nullptr;
  nobody.respond();
  CHECK(nobody.exchange->response_hook == nullptr);
  Rig empty;
  empty.exchange.respond(200).response_header("content-type", test::kEvents);
  empty.exchange->response->body = {BodyLength::Kind::kNone, 0};
  empty.part.on_response(*empty.exchange);
  CHECK(empty.exchange->response_hook == nullptr);
}

TEST_CASE("a stream that ends inside its endpoint loses no byte of it") {
  Rig rig;
  rig.exchange->sealer = &rig.sealer;
  rig.respond();
  const std::string half = "event: endpoint\ndata: /m?sess";
  CHECK(rig.feed(half) + rig.end() == half);
}

TEST_CASE("a stream without an endpoint is given up after a while, and nothing of it is lost") {
  Rig rig;
  rig.exchange->sealer = &rig.sealer;
  rig.respond();
  std::string said;
  std::string seen;
  for (unsigned i = 0; i < EndpointRewriter::kEventsMax; ++i) {
    said += "data: 1\n\n";
    seen += rig.feed("data: 1\n\n");
  }
  CHECK(seen == said);
  CHECK(rig.exchange->response_hook->is_between());
}

TEST_CASE("what is held back of an endless first event is bounded") {
  Rig rig;
  rig.exchange->sealer = &rig.sealer;
  rig.respond();
  const std::string big = "data: " + std::string(3 * EndpointRewriter::kHeldBytesMax, 'x');
  CHECK(big.size() - rig.feed(big).size() <= EndpointRewriter::kHeldBytesMax);
}

TEST_CASE("a session ends with its stream: it is neither mended nor continued") {
  Rig rig;
  rig.exchange->sealer = &rig.sealer;
  rig.respond();
  rig.feed(kEndpoint);
  Buffer last;
  ResponseHook& hook = *rig.exchange->response_hook;
  CHECK(hook.on_lost(*rig.exchange, rig.failed(FailureCause::kTruncated), last) ==
        ResponseHook::Mend::kBreak);
  CHECK(last.is_empty());
  CHECK_FALSE(hook.on_continued(*rig.exchange, *rig.exchange->response));
}

TEST_CASE("without keys the id stays as it is, and is learnt only where that was wished") {
  Rig rig;
  rig.respond();
  CHECK(rig.feed(kEndpoint) == kEndpoint);
  CHECK_FALSE(rig.state.store.home_of("abc", rig.worker.now()));
  Rig learns(learning());
  learns.respond();
  CHECK(learns.feed(kEndpoint) == kEndpoint);
  const auto home = learns.state.store.home_of("abc", learns.worker.now());
  REQUIRE(home);
  CHECK(home->replica == "b");
}

TEST_CASE("a learnt id leads home as long as its replica lives the same life") {
  Rig rig(learning());
  rig.respond();
  rig.feed(kEndpoint);
  const SessionCarrier::Place found = rig.lead("abc");
  CHECK(found.kind == SessionCarrier::Kind::kMoved);
  CHECK(found.replica == &rig.replica("b"));
  CHECK(found.original_id == "abc");
  CHECK(rig.lead("unknown").kind == SessionCarrier::Kind::kUnknown);
  rig.replica("b").vitals->note_death(test::kStartWall + std::chrono::seconds(1));
  CHECK(rig.lead("abc").kind == SessionCarrier::Kind::kUnknown);
}

TEST_CASE("a learnt id of a replica that is configured no more, or was lost, leads nowhere") {
  Rig rig(learning());
  rig.state.store.keep("gone", test::record_on("of an earlier configuration"), rig.worker.now());
  CHECK(rig.lead("gone").kind == SessionCarrier::Kind::kUnknown);
  rig.state.store.keep("lost", test::record_on("a"), rig.worker.now());
  const auto posted = rig.post("/m?sessionId=lost");
  CHECK(rig.part.on_request(**posted) == Taking::kMine);
  (*posted)->session.is_lost = true;
  CHECK((*posted)->carrier->find(**posted, "lost").kind == SessionCarrier::Kind::kUnknown);
}

TEST_CASE("a session that ended, and one beyond the bound of the store, are not led home") {
  McpSettings small = learning();
  small.bounds.record_bytes_max = 8;
  Rig rig(small);
  rig.respond();
  rig.feed(kEndpoint);
  CHECK(rig.lead("abc").kind == SessionCarrier::Kind::kUnknown);
  CHECK(rig.state.store.counts().too_large == 1);
  Rig ended(learning());
  ended.state.store.bury("abc", ended.worker.now());
  ended.respond();
  CHECK(ended.feed(kEndpoint) == kEndpoint);
  CHECK(ended.lead("abc").kind == SessionCarrier::Kind::kUnknown);
}

}  // namespace
}  // namespace limpet::mcp
