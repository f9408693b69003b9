// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/replica_app.h"

#include <array>
#include <ctime>

#include <unistd.h>

#include "daemon/base/text.h"
#include "daemon/demo/page.h"
#include "daemon/demo/session_id.h"
#include "daemon/demo/websocket.h"
#include "daemon/http/websocket.h"

namespace limpet::demo {
namespace {

constexpr std::string_view kSessionCookie = "demo_session";
// Sessions of /counter are not ended by anybody; a sample may forget them all.
constexpr std::size_t kSessionsMax = 100'000;

Reply plain(std::uint16_t status, std::string_view text) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/plain";
  reply.body = std::string(text) + "\n";
  return reply;
}

Reply echo(const RequestHead& head) {
  const Field* key = head.fields.find(FieldName::kSecWebsocketKey);
  if (!text::equals_ignoring_case(head.upgrade, "websocket")) {
    Reply reply = plain(426, "This is a WebSocket echo: ask for an upgrade.");
    reply.fields.emplace_back("upgrade", "websocket");
    return reply;
  }
  if (head.method != Method::kGet || key == nullptr || !is_websocket_key(key->value())) {
    return plain(400, "The WebSocket handshake needs GET and a Sec-WebSocket-Key of 16 bytes.");
  }
  const Field* version = head.fields.find("sec-websocket-version");
  if (version == nullptr || version->value() != "13") {
    Reply reply = plain(426, "Only WebSocket version 13 is spoken here.");
    reply.fields.emplace_back("sec-websocket-version", "13");
    return reply;
  }
  Reply reply;
  reply.kind = Reply::Kind::kWebSocket;
  reply.status = 101;
  reply.fields.emplace_back("sec-websocket-accept", as_text(accept_for(key->value())));
  return reply;
}

Reply page() {
  Reply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.body = kPage;
  reply.fields.emplace_back("cache-control", "no-store");
  return reply;
}

Reply clock() {
  Reply reply;
  reply.kind = Reply::Kind::kClock;
  return reply;
}

}  // namespace

Reply ReplicaApp::answer(const RequestHead& head, std::string_view body) {
  if (head.path == "/mcp") return mcp(head, body);
  if (head.path == "/echo") return echo(head);
  if (head.path == "/counter") return count(head);
  if (head.method != Method::kGet && head.method != Method::kHead) {
    return plain(405, "Only GET and HEAD are answered here.");
  }
  if (head.path == "/") return page();
  if (head.path == "/whoami") return whoami();
  if (head.path == "/clock") return clock();
  if (head.path == "/healthz") return plain(200, "ok");
  return plain(404, "There is /, /whoami, /counter, /clock, /echo, /mcp and /healthz.");
}

std::string ReplicaApp::clock_event() const {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> time{};
  const std::size_t length = std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return R"({"time":")" + std::string(time.data(), length) + R"(","replica":")" +
         text::escaped(id_) + R"("})";
}

Reply ReplicaApp::whoami() const {
  Reply reply;
  reply.body =
      R"({"replica":")" + text::escaped(id_) + R"(","pid":)" + std::to_string(::getpid()) + "}\n";
  return reply;
}

Reply ReplicaApp::count(const RequestHead& head) {
  const std::string_view presented =
      cookie_value(head.fields.value(FieldName::kCookie), kSessionCookie);
  Reply reply;
  reply.fields.emplace_back("cache-control", "no-store");
  const std::lock_guard lock(mutex_);
  auto session = counts_.find(presented);
  if (session == counts_.end()) {
    if (counts_.size() >= kSessionsMax) counts_.clear();
    session = counts_.emplace(new_session_id(), 0).first;
    reply.fields.emplace_back("set-cookie", std::string(kSessionCookie) + "=" + session->first +
                                                "; Path=/; HttpOnly; SameSite=Lax");
  }
  reply.body = R"({"replica":")" + text::escaped(id_) + R"(","count":)" +
               std::to_string(++session->second) + R"(,"session":")" + session->first.substr(0, 8) +
               "\"}\n";
  return reply;
}

Reply ReplicaApp::mcp(const RequestHead& head, std::string_view body) {
  McpRequest request;
  request.method = head.method;
  request.session_id = head.fields.value(FieldName::kMcpSessionId);
  request.protocol_version = head.fields.value(FieldName::kMcpProtocolVersion);
  request.accept = head.fields.value(FieldName::kAccept);
  request.origin = head.fields.value(FieldName::kOrigin);
  request.body = body;
  McpReply answer = mcp_.answer(request);

  Reply reply;
  reply.status = answer.status;
  reply.body = std::move(answer.body);
  if (answer.status == 405) reply.fields.emplace_back("allow", "GET, POST, DELETE");
  if (!answer.session_id.empty()) reply.fields.emplace_back("mcp-session-id", answer.session_id);
  if (answer.opens_stream) {
    reply.kind = Reply::Kind::kMcpStream;
    reply.mcp_session = std::string(request.session_id);
  }
  return reply;
}

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const std::string_view pair = text::trim(text::cut(cookies, ';'));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace limpet::demo
