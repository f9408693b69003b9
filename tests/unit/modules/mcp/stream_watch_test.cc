// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/stream_watch.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/modules/mcp/mcp_rig.h"

namespace limpet::mcp {
namespace {

using test::data_in;
using test::event;
using Kind = StreamWatch::Kind;
using Mend = ResponseHook::Mend;

constexpr std::string_view kCall =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}})";
constexpr std::string_view kAnswer = R"({"jsonrpc":"2.0","id":7,"result":{}})";
constexpr std::string_view kNotice = R"({"jsonrpc":"2.0","method":"notifications/progress"})";

struct Owner final : StreamOwner {
  void on_opened(std::string_view json) override { opened.emplace_back(json); }
  bool may_reopen() override { return is_reopening; }
  std::string announcement_due() override { return announcement; }

  std::vector<std::string> opened;
  std::string announcement;
  bool is_reopening = true;
};

struct Rig : test::DeskRig {
  explicit Rig(Kind kind, BodyForm form = BodyForm::kEvents, std::string_view body = kCall)
      : message(read_message(body)), asked{message.kind, message.method, message.name, message.id} {
    exchange->replica = &replica("a");
    watch = std::make_unique<StreamWatch>(desk, owner, *exchange, kind,
                                          kind == Kind::kGet ? nullptr : &asked, form);
  }

  [[nodiscard]] ResponseHook& hook() { return *watch; }
  /// What the client sees of these bytes.
  std::string feed(std::string_view bytes) {
    Buffer scratch;
    return std::string(hook().on_body(bytes, scratch));
  }
  std::string end() {
    Buffer scratch;
    return std::string(hook().on_end(scratch));
  }
  /// The replica is lost; what the client is told is kept in `last`.
  Mend lose(FailureCause cause = FailureCause::kTruncated) {
    Buffer scratch;
    const Mend mend = hook().on_lost(*exchange, failed(cause), scratch);
    last = std::string(scratch.view());
    return mend;
  }
  bool go_on(std::uint16_t status = 200, std::string_view type = test::kEvents) {
    exchange.respond(status).response_header("content-type", type);
    return hook().on_continued(*exchange, *exchange->response);
  }
  [[nodiscard]] std::int64_t streams() {
    return metrics.gauge("limpet_mcp_streams", {{"pool", "p"}, {"replica", exchange->replica->id}})
        .value();
  }
  [[nodiscard]] std::uint64_t unanswered() const {
    return counted("limpet_mcp_unanswered_calls_total");
  }

  Owner owner;
  RpcMessage message;
  RpcGlance asked;
  std::unique_ptr<StreamWatch> watch;
  std::string last;
};

TEST_CASE("the answer to initialize is told once, and no byte of it is changed") {
  const std::string result = test::initialize_result();
  const std::string other = event(kNotice) + event(result) + event(result);
  constexpr std::string_view kInitialize = R"({"jsonrpc":"2.0","id":0,"method":"initialize"})";
  for (const bool is_json : {true, false}) {
    Rig rig(Kind::kInitialize, is_json ? BodyForm::kJson : BodyForm::kEvents, kInitialize);
    const std::string whole = is_json ? result : other;
    std::string seen;
    for (const char byte : whole)
      seen += rig.feed(std::string_view(&byte, 1));
    seen += rig.end();
    CHECK(seen == whole);
    CHECK(rig.owner.opened == std::vector<std::string>{result});
  }
}

TEST_CASE("an answer to initialize that is malformed, cut or too large is told to nobody") {
  const std::string result = test::initialize_result();
  const std::string large = R"({"jsonrpc":"2.0","id":0,"result":{"x":")" +
                            std::string(StreamWatch::kInitializeBytesMax, 'x') + R"("}})";
  for (const std::string& body : {std::string("{]"), result.substr(0, 40), large, std::string()}) {
    Rig rig(Kind::kInitialize, BodyForm::kJson,
            R"({"jsonrpc":"2.0","id":0,"method":"initialize"})");
    CHECK(rig.feed(body) == body);
    CHECK(rig.end().empty());
    CHECK(rig.owner.opened.empty());
  }
}

TEST_CASE("a stream that ends without the answer of its call ends with an error for that call") {
  Rig rig(Kind::kCall);
  rig.feed(event(kNotice));
  const std::vector<std::string> said = data_in(rig.end());
  REQUIRE(said.size() == 1);
  CHECK(said[0].find(R"("id":7)") != std::string::npos);
  CHECK(said[0].find("-32000") != std::string::npos);
  CHECK(rig.unanswered() == 1);
}

TEST_CASE("an end in the middle of an event is told as one before the error comes") {
  Rig rig(Kind::kCall);
  const std::string half = "event: message\ndata: {\"jsonr";
  rig.feed(half);
  const std::string end = rig.end();
  // The cut event gets a name that nobody listens to.
  CHECK(end.starts_with("\nevent: limpet-cut\n\n"));
  CHECK(data_in(half + end).size() == 2);
}

TEST_CASE("where nothing is missing, or nobody knows what, the end of a stream is left alone") {
  Rig answered(Kind::kCall);
  answered.feed(event(kNotice) + event(kAnswer));
  CHECK(answered.end().empty());
  Rig null_id(Kind::kCall);
  null_id.feed(event(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}})"));
  CHECK(null_id.end().empty());
  Rig resumable(Kind::kCall);
  resumable.feed("id: 1\n" + event(kNotice));
  CHECK(resumable.end().empty());
  Rig notice(Kind::kCall, BodyForm::kEvents, kNotice);
  CHECK(notice.end().empty());
  Rig batch(Kind::kCall, BodyForm::kEvents, "[" + std::string(kCall) + "]");
  CHECK(batch.end().empty());
  Rig json(Kind::kCall, BodyForm::kJson);
  CHECK(json.end().empty());
  CHECK(answered.unanswered() + batch.unanswered() + json.unanswered() == 0);
}

TEST_CASE("the answer to another call is not the awaited one") {
  Rig rig(Kind::kCall);
  rig.feed(event(R"({"jsonrpc":"2.0","id":8,"result":{}})"));
  rig.feed(event(R"({"jsonrpc":"2.0","id":7,"method":"sampling/createMessage"})"));
  CHECK_FALSE(rig.end().empty());
}

TEST_CASE("an answer whose id is written in another way is the awaited one") {
  Rig number(Kind::kCall);
  number.feed(event(R"({"jsonrpc":"2.0","id":7.0,"result":{}})"));
  CHECK(number.end().empty());
  for (const std::string id : {R"("a/1")", R"("a\/1")", R"("\u0061/1")"}) {
    Rig text(Kind::kCall, BodyForm::kEvents,
             R"({"jsonrpc":"2.0","id":"a\/1","method":"tools/call","params":{"name":"t"}})");
    text.feed(event(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{}})"));
    CHECK_MESSAGE(text.end().empty(), id);
    CHECK(text.unanswered() == 0);
  }
  Rig other(Kind::kCall);
  other.feed(event(R"({"jsonrpc":"2.0","id":"7","result":{}})"));
  CHECK_FALSE(other.end().empty());
}

TEST_CASE("an answer too long to be looked at is taken for the awaited one") {
  Rig rig(Kind::kCall);
  rig.feed(event(R"({"jsonrpc":"2.0","id":7,"result":")" + std::string(20'000, 'x') + "\"}"));
  CHECK(rig.lose() == Mend::kEnd);
  CHECK(rig.last.empty());
  CHECK(rig.unanswered() == 0);
}

TEST_CASE("a replica lost in the middle of a call: its stream ends whole, once with an error") {
  Rig rig(Kind::kCall);
  rig.feed(event(kNotice) + "data: {\"half");
  CHECK(rig.lose() == Mend::kEnd);
  CHECK(rig.last.starts_with("\nevent: limpet-cut\n\n"));
  CHECK(rig.last.find(R"("id":7)") != std::string::npos);
  CHECK(rig.unanswered() == 1);
  CHECK(rig.lose() == Mend::kEnd);
  CHECK(rig.last.empty());

  Rig answered(Kind::kCall);
  answered.feed(event(kAnswer) + "data: and more");
  CHECK(answered.lose() == Mend::kEnd);
  CHECK(answered.last == "\nevent: limpet-cut\n\n");
  CHECK(answered.unanswered() == 0);
}

TEST_CASE("a JSON body, and a stream that awaits nothing, are broken off as they are") {
  Rig json(Kind::kCall, BodyForm::kJson);
  CHECK(json.lose() == Mend::kBreak);
  Rig notice(Kind::kCall, BodyForm::kEvents, kNotice);
  CHECK(notice.lose() == Mend::kBreak);
}

TEST_CASE("a GET stream goes on behind the last whole event that had an id") {
  Rig rig(Kind::kGet);
  rig.exchange.header("last-event-id", "before");
  rig.feed("id: 5\n" + event(kNotice) + "id: 6\ndata: half");
  CHECK(rig.lose() == Mend::kContinue);
  CHECK(rig.last == "\nevent: limpet-cut\n\n");
  CHECK(rig.exchange.request_value("last-event-id") == "5");
  CHECK(rig.exchange->attempts[0].may_be_tried_again);
  CHECK(rig.go_on());
  CHECK(rig.hook().is_between());
}

TEST_CASE("event ids of another replica, or longer than is kept, are not sent") {
  Rig rig(Kind::kGet);
  rig.exchange.header("last-event-id", "before");
  rig.feed("id: " + std::string(2000, 'x') + "\n" + event(kNotice));
  CHECK(rig.lose() == Mend::kContinue);
  CHECK(rig.exchange.request_values("last-event-id").empty());
}

TEST_CASE("a replica that refuses the connection is not asked again for its stream") {
  Rig rig(Kind::kGet);
  CHECK(rig.lose(FailureCause::kConnectRefused) == Mend::kContinue);
  CHECK_FALSE(rig.exchange->attempts[0].may_be_tried_again);
}

TEST_CASE("limits of limpet's own, and a session that is gone, break a GET stream off") {
  for (const FailureCause cause : {FailureCause::kBodyTimeout, FailureCause::kOwnLimit}) {
    Rig rig(Kind::kGet);
    CHECK(rig.lose(cause) == Mend::kBreak);
  }
  Rig gone(Kind::kGet);
  gone.owner.is_reopening = false;
  CHECK(gone.lose() == Mend::kBreak);
}

TEST_CASE("a stream that breaks at once again and again is broken off in the end") {
  Rig rig(Kind::kGet);
  for (std::uint32_t turn = 0; turn < StreamWatch::kQuickLossesMax; ++turn) {
    CHECK(rig.lose() == Mend::kContinue);
    CHECK(rig.go_on());
  }
  CHECK(rig.lose() == Mend::kBreak);
}

TEST_CASE("a stream that held for a second may break as often again") {
  Rig rig(Kind::kGet);
  for (std::uint32_t turn = 0; turn < 2 * StreamWatch::kQuickLossesMax; ++turn) {
    if (turn == StreamWatch::kQuickLossesMax) rig.pass(std::chrono::seconds(1));
    rig.exchange->attempts_count = 0;
    CHECK(rig.lose() == Mend::kContinue);
    CHECK(rig.go_on());
  }
}

TEST_CASE("a stream that was continued for very long ends politely, and its client opens it anew") {
  Rig rig(Kind::kGet);
  static_cast<void>(rig.exchange.arena().allocate(StreamWatch::kContinuedBytesMax / 2));
  CHECK(rig.lose() == Mend::kContinue);
  CHECK(rig.go_on());
  static_cast<void>(rig.exchange.arena().allocate(StreamWatch::kContinuedBytesMax));
  rig.feed(event(kNotice));
  CHECK(rig.lose() == Mend::kEnd);
  CHECK(rig.last.starts_with("retry: "));
}

TEST_CASE("only another event stream goes on where one was lost") {
  Rig rig(Kind::kGet);
  CHECK(rig.lose() == Mend::kContinue);
  CHECK_FALSE(rig.go_on(404, test::kEvents));
  CHECK_FALSE(rig.go_on(200, test::kJson));
  CHECK_FALSE(rig.go_on(204, ""));
}

TEST_CASE("a client whose session has moved is told so when its stream goes on") {
  Rig rig(Kind::kGet);
  rig.owner.announcement = event(kNotice);
  CHECK(rig.lose() == Mend::kContinue);
  CHECK(rig.go_on());
  CHECK(rig.door.text == event(kNotice));
  rig.exchange->door = nullptr;
  CHECK(rig.go_on());
}

TEST_CASE("a stream is closed politely where its client can be told, else later") {
  Rig rig(Kind::kGet);
  rig.door.is_shut = true;
  CHECK_FALSE(rig.watch->close_politely());
  CHECK_FALSE(rig.door.is_ended);
  rig.door.is_shut = false;
  CHECK(rig.watch->close_politely());
  CHECK(rig.door.text.starts_with("retry: "));
  CHECK(rig.door.is_ended);
  rig.exchange->door = nullptr;
  CHECK_FALSE(rig.watch->close_politely());
}

TEST_CASE("comments may stand between events only, and never in JSON") {
  Rig rig(Kind::kGet);
  CHECK(rig.hook().is_between());
  rig.feed("data: x");
  CHECK_FALSE(rig.hook().is_between());
  rig.feed("\n");
  CHECK_FALSE(rig.hook().is_between());
  rig.feed("\n");
  CHECK(rig.hook().is_between());
  Rig json(Kind::kCall, BodyForm::kJson);
  CHECK_FALSE(json.hook().is_between());
}

TEST_CASE("streams are counted while they are open, and those of GET can be found") {
  Rig rig(Kind::kGet);
  CHECK(rig.streams() == 1);
  CHECK(rig.desk.hands.streams.size() == 1);
  CHECK(rig.exchange->keep_alive_every == rig.settings.keep_alive);
  rig.watch.reset();
  CHECK(rig.streams() == 0);
  CHECK(rig.desk.hands.streams.empty());
  Rig json(Kind::kCall, BodyForm::kJson);
  CHECK(json.streams() == 0);
  CHECK(json.exchange->keep_alive_every == kForever);
}

}  // namespace
}  // namespace limpet::mcp
