// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/replica_app.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;        // NOLINT(google-build-using-namespace)
using namespace limpet::demo;  // NOLINT(google-build-using-namespace)

namespace {

struct Request {
  explicit Request(std::string_view path) : head(arena) {
    head.method = Method::kGet;
    head.path = path;
    head.target = path;
  }
  Arena arena;
  RequestHead head;
};

std::string field(const Reply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.fields) {
    if (key == name) return value;
  }
  return {};
}

bool has(const Reply& reply, std::string_view text) {
  return reply.body.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("whoami names the replica") {
  ReplicaApp app("b");
  CHECK(has(app.answer(Request("/whoami").head, ""), R"("replica":"b")"));
}

TEST_CASE("counter counts a session in memory and forgets nobody's else") {
  ReplicaApp app("a");
  const Reply first = app.answer(Request("/counter").head, "");
  CHECK(has(first, R"("count":1)"));
  const std::string set = field(first, "set-cookie");
  Request again("/counter");
  again.head.fields.add(FieldName::kCookie, set);
  const Reply second = app.answer(again.head, "");
  CHECK(has(second, R"("count":2)"));
  CHECK(field(second, "set-cookie").empty());
  CHECK(has(app.answer(Request("/counter").head, ""), R"("count":1)"));
}

TEST_CASE("a session of another replica is unknown here and begins anew") {
  ReplicaApp app("a");
  Request request("/counter");
  request.head.fields.add(FieldName::kCookie, "demo_session=0123456789abcdef0123456789abcdef");
  const Reply reply = app.answer(request.head, "");
  CHECK(has(reply, R"("count":1)"));
  CHECK_FALSE(field(reply, "set-cookie").empty());
}

TEST_CASE("echo asks for an upgrade, and for a sound one") {
  ReplicaApp app("a");
  Request request("/echo");
  CHECK(app.answer(request.head, "").status == 426);
  request.head.upgrade = "websocket";
  CHECK(app.answer(request.head, "").status == 400);
  request.head.fields.add(FieldName::kSecWebsocketKey, "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(app.answer(request.head, "").status == 426);
  request.head.fields.add_copy("sec-websocket-version", "13");
  const Reply reply = app.answer(request.head, "");
  CHECK(reply.kind == Reply::Kind::kWebSocket);
  CHECK(field(reply, "sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("the page, the clock and the health check are there, other paths are not") {
  ReplicaApp app("a");
  CHECK(has(app.answer(Request("/").head, ""), "<!doctype html>"));
  CHECK(app.answer(Request("/clock").head, "").kind == Reply::Kind::kClock);
  CHECK(app.answer(Request("/healthz").head, "").status == 200);
  CHECK(app.answer(Request("/elsewhere").head, "").status == 404);
  CHECK(app.clock_event().find(R"("replica":"a")") != std::string::npos);
}

TEST_CASE("mcp sessions are reached over http fields") {
  ReplicaApp app("a");
  Request request("/mcp");
  request.head.method = Method::kPost;
  const Reply begun = app.answer(request.head, R"({"jsonrpc":"2.0","id":1,"method":"initialize"})");
  const std::string id = field(begun, "mcp-session-id");
  CHECK(id.size() == 32);
  Request stream("/mcp");
  stream.head.fields.add(FieldName::kMcpSessionId, id);
  stream.head.fields.add(FieldName::kAccept, "text/event-stream");
  const Reply opened = app.answer(stream.head, "");
  CHECK(opened.kind == Reply::Kind::kMcpStream);
  CHECK(opened.mcp_session == id);
}

TEST_CASE("a cookie is found by its whole name") {
  CHECK(cookie_value("a=1; demo_session=x; b=2", "demo_session") == "x");
  CHECK(cookie_value("my_demo_session=y;demo_session=x", "demo_session") == "x");
  CHECK(cookie_value("demo_session", "demo_session").empty());
  CHECK(cookie_value("", "demo_session").empty());
}
