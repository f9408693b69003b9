// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/handshake.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

using State = Handshake::State;

constexpr std::string_view kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}})";

std::string result_of(std::string_view version = "1") {
  return R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},)"
         R"("serverInfo":{"name":"s","version":")" +
         std::string(version) + R"("}}})";
}

SessionRecord record() {
  auto birth = std::make_shared<SessionBirth>();
  birth->initialize = kInitialize;
  birth->request_id = "0";
  birth->server = {"2025-11-25", R"({"tools":{}})", "s", "1"};
  SessionRecord record;
  record.birth = birth;
  record.home = {"a", "old", {}, 0, 0};
  return record;
}

// Answers one step: the head, then the body in pieces of `step` bytes.
struct Reply {
  std::uint16_t status = 200;
  std::string_view type = "application/json";
  std::string body;
  std::string_view session{};
};
void answer(Handshake& handshake, const Reply& reply, std::size_t step = 5) {
  Arena arena;
  ResponseHead head(arena);
  head.status = reply.status;
  head.fields.add_copy("content-type", reply.type);
  if (!reply.session.empty()) head.fields.add_copy("mcp-session-id", reply.session);
  handshake.on_sent();
  handshake.on_head(head);
  for (std::size_t at = 0; at < reply.body.size() && handshake.state() == State::kReading;
       at += step)
    handshake.feed(std::string_view(reply.body).substr(at, step));
  if (handshake.state() == State::kReading) handshake.on_end();
}

// The one value of that name; empty where there is none, or more.
std::string value_of(const CallFields& fields, std::string_view name) {
  std::string found;
  int count = 0;
  for (const auto& [key, value] : fields) {
    if (key != name) continue;
    found = value;
    ++count;
  }
  return count == 1 ? found : std::string();
}

struct Waiting {
  Waiting() {
    for (const auto& [name, value] : std::vector<std::pair<std::string_view, std::string_view>>{
             {"host", "h"},
             {"authorization", "Bearer now"},
             {"mcp-session-id", "client-id"},
             {"mcp-protocol-version", "2025-11-25"},
             {"content-length", "7"},
             {"content-type", "text/plain"},
             {"accept", "text/event-stream"},
             {"last-event-id", "9"},
             {"mcp-param-x", "1"},
             {"x-tenant", "t"}})
      fields.add_copy(name, value);
  }
  Arena arena;
  HeaderList fields{arena};
};

TEST_CASE("a session is opened, made ready and told everything again, in this order") {
  SessionRecord known = record();
  known.level = "debug";
  known.subscriptions = {"file:///a", "file:///\"b\""};
  Handshake handshake(known, CarryPolicy::kCompatible);
  const Waiting waiting;

  CHECK(handshake.state() == State::kSend);
  CHECK(handshake.body() == kInitialize);
  const CallFields first = handshake.fields(waiting.fields);
  CHECK(value_of(first, "authorization") == "Bearer now");
  CHECK(value_of(first, "x-tenant") == "t");
  CHECK(value_of(first, "content-type") == "application/json");
  CHECK(value_of(first, "accept") == "application/json, text/event-stream");
  for (const char* gone : {"host", "mcp-session-id", "mcp-protocol-version", "content-length",
                           "last-event-id", "mcp-param-x"}) {
    CAPTURE(gone);
    CHECK(value_of(first, gone).empty());
  }
  answer(handshake, {200, "text/event-stream",
                     "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n"
                     "id: 1\ndata: " +
                         result_of() + "\n\n",
                     "new-id"});

  REQUIRE(handshake.state() == State::kSend);
  CHECK(handshake.has_opened());
  CHECK(handshake.body() == R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  const CallFields second = handshake.fields(waiting.fields);
  CHECK(value_of(second, "mcp-session-id") == "new-id");
  CHECK(value_of(second, "mcp-protocol-version") == "2025-11-25");
  answer(handshake, {202, "", ""});

  CHECK(
      handshake.body() ==
      R"({"jsonrpc":"2.0","id":"limpet-level","method":"logging/setLevel","params":{"level":"debug"}})");
  answer(handshake,
         {200, "application/json", R"({"jsonrpc":"2.0","id":"limpet-level","result":{}})"});
  CHECK(handshake.body().find("resources/subscribe") != std::string::npos);
  answer(handshake,
         {200, "application/json",
          R"({"jsonrpc":"2.0","id":"limpet-subscribe-0","error":{"code":-32602,"message":"no"}})"});
  CHECK(handshake.body().find(R"("uri":"file:///\"b\"")") != std::string::npos);
  answer(handshake,
         {200, "application/json", R"({"jsonrpc":"2.0","id":"limpet-subscribe-1","result":{}})"});

  CHECK(handshake.state() == State::kDone);
  CHECK(handshake.new_id() == "new-id");
  CHECK(handshake.not_replayed() == 1);
}

TEST_CASE("a client of an old revision sends no version, so the handshake sends none") {
  Handshake handshake(record(), CarryPolicy::kCompatible);
  answer(handshake, {200, "application/json", result_of(), "n"});
  Arena arena;
  const HeaderList waiting(arena);
  CHECK(value_of(handshake.fields(waiting), "mcp-protocol-version").empty());
  CHECK(value_of(handshake.fields(waiting), "mcp-session-id") == "n");
}

TEST_CASE("a different server is refused, unless the policy allows it") {
  Handshake strict(record(), CarryPolicy::kCompatible);
  answer(strict, {200, "application/json", result_of("2"), "n"});
  CHECK(strict.state() == State::kRefused);
  CHECK(strict.end() == CarryEnd::kDifferentServer);
  CHECK(strict.reason().find("version") != std::string::npos);
  CHECK(strict.has_opened());
  Handshake lenient(record(), CarryPolicy::kAlways);
  answer(lenient, {200, "application/json", result_of("2"), "n"});
  CHECK(lenient.state() == State::kSend);
}

TEST_CASE("each refusal has its reason") {
  struct Row {
    Reply reply;
    CarryEnd end;
  };
  const Row rows[] = {
      {{401, "text/plain", "who?"}, CarryEnd::kCredentials},
      {{403, "text/plain", "no"}, CarryEnd::kCredentials},
      {{200, "application/json", result_of()}, CarryEnd::kStateless},
      {{200, "application/json", result_of(), "bad id"}, CarryEnd::kStateless},
      {{503, "text/plain", "busy"}, CarryEnd::kRefused},
      {{200, "application/json", R"({"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"m"}})",
        "n"},
       CarryEnd::kRefused},
      {{200, "application/json", R"({"jsonrpc":"2.0","id":0,"result":{}})", "n"},
       CarryEnd::kRefused},
      {{200, "text/html", "<html>", "n"}, CarryEnd::kRefused},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reply.body);
    Handshake handshake(record(), CarryPolicy::kCompatible);
    answer(handshake, row.reply);
    CHECK(handshake.state() == State::kRefused);
    CHECK(handshake.end() == row.end);
    CHECK_FALSE(handshake.reason().empty());
  }
}

TEST_CASE("a broken connection, a large answer and a refused initialized end it") {
  Handshake broken(record(), CarryPolicy::kCompatible);
  broken.on_sent();
  broken.on_failure("connection reset");
  CHECK(broken.end() == CarryEnd::kFailed);

  Handshake large(record(), CarryPolicy::kCompatible, 20);
  answer(large, {200, "application/json", result_of(), "n"});
  CHECK(large.state() == State::kRefused);

  Handshake refused(record(), CarryPolicy::kCompatible);
  answer(refused, {200, "application/json", result_of(), "n"});
  answer(refused, {400, "text/plain", ""});
  CHECK(refused.state() == State::kRefused);
  CHECK(refused.end() == CarryEnd::kRefused);
}

TEST_CASE("without a policy or a record nothing is sent") {
  CHECK(Handshake(record(), CarryPolicy::kOff).end() == CarryEnd::kOff);
  const Handshake unknown(SessionRecord{}, CarryPolicy::kAlways);
  CHECK(unknown.state() == State::kRefused);
  CHECK(unknown.end() == CarryEnd::kUnknown);
}

TEST_CASE("a request about the session carries the caller's credentials and the replica's id") {
  const Waiting waiting;
  const CallFields fields = fields_for_session(waiting.fields, "new-id", "2025-11-25");
  CHECK(value_of(fields, "mcp-session-id") == "new-id");
  CHECK(value_of(fields, "authorization") == "Bearer now");
  CHECK(value_of(fields, "content-type").empty());
  CHECK(read_message(ping_body()).method == RpcMethod::kPing);
  CHECK(read_message(ping_body()).id == kPingId);
}

}  // namespace
}  // namespace limpet::mcp
