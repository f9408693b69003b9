// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/mcp_sessions.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;        // NOLINT(google-build-using-namespace)
using namespace limpet::demo;  // NOLINT(google-build-using-namespace)

namespace {

McpReply post(McpSessions& sessions, std::string_view session, std::string_view body) {
  McpRequest request;
  request.session_id = session;
  request.body = body;
  return sessions.answer(request);
}

std::string begin(McpSessions& sessions) {
  return post(
             sessions, "",
             R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}})")
      .session_id;
}

std::string call(std::string_view tool, std::string_view arguments = "{}") {
  return R"({"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":")" +
         std::string(tool) + R"(","arguments":)" + std::string(arguments) + "}}";
}

bool has(const McpReply& reply, std::string_view text) {
  return reply.body.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("initialize begins a session and agrees on a revision") {
  McpSessions sessions("a");
  const McpReply reply = post(
      sessions, "",
      R"({"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  CHECK(reply.status == 200);
  CHECK(reply.session_id.size() == 32);
  CHECK(has(reply, R"("id":7)"));
  CHECK(has(reply, R"("protocolVersion":"2025-06-18")"));
  CHECK(sessions.is_live(reply.session_id));
  const McpReply unknown = post(
      sessions, "",
      R"({"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"1999-01-01"}})");
  CHECK(has(unknown, R"("protocolVersion":"2025-11-25")"));
  CHECK(unknown.session_id != reply.session_id);
}

TEST_CASE("notifications and responses are accepted without a body") {
  McpSessions sessions("a");
  const std::string id = begin(sessions);
  const McpReply reply =
      post(sessions, id, R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  CHECK(reply.status == 202);
  CHECK(reply.body.empty());
  CHECK(post(sessions, id, R"({"jsonrpc":"2.0","id":1,"result":{}})").status == 202);
}

TEST_CASE("tools are listed and called") {
  McpSessions sessions("replica-b");
  const std::string id = begin(sessions);
  const McpReply tools = post(sessions, id, R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})");
  for (const char* name : {R"("name":"whoami")", R"("name":"count")", R"("name":"echo")"}) {
    CHECK(has(tools, name));
  }
  CHECK(has(post(sessions, id, call("whoami")), R"("text":"replica-b")"));
  CHECK(
      has(post(sessions, id, call("echo", R"({"text":"say \"it\""})")), R"("text":"say \"it\"")"));
  CHECK(has(post(sessions, id, call("echo")), "-32602"));
  CHECK(has(post(sessions, id, call("nothing")), "-32602"));
  CHECK(has(post(sessions, id, R"({"jsonrpc":"2.0","id":3,"method":"ping"})"),
            R"({"jsonrpc":"2.0","id":3,"result":{}})"));
  CHECK(has(post(sessions, id, R"({"jsonrpc":"2.0","id":3,"method":"nothing"})"), "-32601"));
}

TEST_CASE("each session has a count of its own") {
  McpSessions sessions("a");
  const std::string one = begin(sessions);
  const std::string two = begin(sessions);
  CHECK(has(post(sessions, one, call("count")), R"("text":"1")"));
  CHECK(has(post(sessions, one, call("count")), R"("text":"2")"));
  CHECK(has(post(sessions, two, call("count")), R"("text":"1")"));
}

TEST_CASE("a session that is missing or unknown is refused, each in its own way") {
  McpSessions sessions("a");
  const std::string ping = R"({"jsonrpc":"2.0","id":"q","method":"ping"})";
  const McpReply missing = post(sessions, "", ping);
  CHECK(missing.status == 400);
  CHECK(has(missing, "-32000"));
  const McpReply unknown = post(sessions, "nobody", ping);
  CHECK(unknown.status == 404);
  CHECK(has(unknown, "-32001"));
  CHECK(has(unknown, R"("id":"q")"));
  McpRequest get;
  get.method = Method::kGet;
  get.session_id = "nobody";
  CHECK(sessions.answer(get).status == 404);
}

TEST_CASE("a second initialize within a session is refused") {
  McpSessions sessions("a");
  const std::string id = begin(sessions);
  CHECK(post(sessions, id, R"({"jsonrpc":"2.0","id":1,"method":"initialize"})").status == 400);
}

TEST_CASE("an unsupported protocol version is refused") {
  McpSessions sessions("a");
  const std::string id = begin(sessions);
  McpRequest request;
  request.session_id = id;
  request.protocol_version = "1999-01-01";
  request.body = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  CHECK(sessions.answer(request).status == 400);
  request.protocol_version = "2025-11-25";
  CHECK(sessions.answer(request).status == 200);
}

TEST_CASE("a GET opens a stream while its session lives, and DELETE ends it") {
  McpSessions sessions("a");
  const std::string id = begin(sessions);
  McpRequest request;
  request.method = Method::kGet;
  request.session_id = id;
  CHECK(sessions.answer(request).status == 406);
  request.accept = "application/json, text/event-stream";
  CHECK(sessions.answer(request).opens_stream);
  request.method = Method::kDelete;
  CHECK(sessions.answer(request).status == 204);
  CHECK_FALSE(sessions.is_live(id));
  CHECK(sessions.answer(request).status == 404);
}

TEST_CASE("what is no JSON-RPC message is refused") {
  McpSessions sessions("a");
  CHECK(has(post(sessions, "", "{"), "-32700"));
  CHECK(has(post(sessions, "", "\xff"), "-32700"));
  for (const char* body :
       {"[]", "1", "{}", R"({"jsonrpc":"1.0","id":1,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":{},"method":"ping"})", R"({"jsonrpc":"2.0","id":1,"method":2})",
        R"({"jsonrpc":"2.0","id":1})"}) {
    const McpReply reply = post(sessions, "", body);
    CHECK_MESSAGE(reply.status == 400, body);
    CHECK_MESSAGE(has(reply, "-32600"), body);
  }
  McpRequest put;
  put.method = Method::kPut;
  CHECK(sessions.answer(put).status == 405);
}

TEST_CASE("a page of another site is refused") {
  McpSessions sessions("a");
  McpRequest request;
  request.body = R"({"jsonrpc":"2.0","id":1,"method":"initialize"})";
  for (const char* origin : {"http://localhost:8080", "http://127.0.0.1", "http://[::1]:3000"}) {
    request.origin = origin;
    CHECK_MESSAGE(sessions.answer(request).status == 200, origin);
  }
  for (const char* origin : {"http://evil.example", "http://localhost.evil.example", "null"}) {
    request.origin = origin;
    CHECK_MESSAGE(sessions.answer(request).status == 403, origin);
  }
}
