// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/mcp_sessions.h"

#include <algorithm>
#include <array>

#include "daemon/base/text.h"
#include "daemon/demo/session_id.h"

namespace limpet::demo {
namespace {

constexpr std::array<std::string_view, 3> kRevisions = {"2025-11-25", "2025-06-18", "2025-03-26"};

// JSON-RPC 2.0 section 5.1, and the two codes that MCP servers use for sessions.
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr int kBadRequest = -32000;
constexpr int kSessionNotFound = -32001;

constexpr std::string_view kTools =
    R"({"tools":[)"
    R"({"name":"whoami","description":"Names the replica that answers.","inputSchema":{"type":"object"}},)"
    R"({"name":"count","description":"Counts the calls of this session, in the replica's memory.","inputSchema":{"type":"object"}},)"
    R"({"name":"echo","description":"Says the text back.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}})"
    R"(]})";

bool is_known_revision(std::string_view revision) {
  return std::find(kRevisions.begin(), kRevisions.end(), revision) != kRevisions.end();
}

// A page of another site must not reach a server on this machine: the specification asks for a
// check of Origin against DNS rebinding.
bool is_local_origin(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view authority = origin.substr(scheme + 3);
  constexpr std::array<std::string_view, 3> kHosts = {"127.0.0.1", "localhost", "[::1]"};
  return std::any_of(kHosts.begin(), kHosts.end(), [authority](std::string_view host) {
    return authority == host || (authority.starts_with(host) && authority[host.size()] == ':');
  });
}

McpReply error(std::uint16_t status, int code, std::string_view text, std::string_view id_json) {
  McpReply reply;
  reply.status = status;
  reply.body = R"({"jsonrpc":"2.0","error":{"code":)" + std::to_string(code) + R"(,"message":")" +
               text::escaped(text) + R"("},"id":)" + std::string(id_json) + "}";
  return reply;
}

McpReply result(std::string_view json, std::string_view id_json) {
  McpReply reply;
  reply.body = R"({"jsonrpc":"2.0","id":)" + std::string(id_json) + R"(,"result":)" +
               std::string(json) + "}";
  return reply;
}

McpReply tool_result(std::string_view text_json, std::string_view id_json) {
  return result(
      R"({"content":[{"type":"text","text":)" + std::string(text_json) + R"(}],"isError":false})",
      id_json);
}

McpReply nothing(std::uint16_t status) {
  McpReply reply;
  reply.status = status;
  return reply;
}

}  // namespace

McpReply McpSessions::answer(const McpRequest& request) {
  if (!request.origin.empty() && !is_local_origin(request.origin)) {
    return error(403, kBadRequest, "This origin may not use this server.", "null");
  }
  if (request.method == Method::kPost) return answer_post(request);
  if (request.method != Method::kGet && request.method != Method::kDelete) return nothing(405);

  McpReply refusal = check_session(request, "null");
  if (refusal.status != 200) return refusal;
  if (request.method == Method::kDelete) return end(request.session_id);
  if (request.accept.find("text/event-stream") == std::string_view::npos) {
    return error(406, kBadRequest, "Accept must name text/event-stream.", "null");
  }
  refusal.opens_stream = true;
  return refusal;
}

bool McpSessions::is_live(std::string_view session_id) const {
  const std::lock_guard lock(mutex_);
  return counts_.contains(session_id);
}

McpReply McpSessions::answer_post(const McpRequest& request) {
  const RpcMessage message = read_rpc(request.body);
  using Kind = RpcMessage::Kind;
  if (message.kind == Kind::kMalformed)
    return error(400, kParseError, "The body is not JSON.", "null");
  if (message.kind == Kind::kInvalid) {
    return error(400, kInvalidRequest, "The body is not one JSON-RPC 2.0 message.", "null");
  }
  if (message.kind == Kind::kRequest && message.method == "initialize") {
    return initialize(request, message);
  }
  McpReply refusal = check_session(request, message.id_json);
  if (refusal.status != 200) return refusal;
  if (message.kind != Kind::kRequest) return nothing(202);
  if (message.method == "ping") return result("{}", message.id_json);
  if (message.method == "tools/list") return result(kTools, message.id_json);
  if (message.method == "tools/call") return call_tool(request.session_id, message);
  return error(200, kMethodNotFound, "Unknown method: " + message.method, message.id_json);
}

McpReply McpSessions::initialize(const McpRequest& request, const RpcMessage& message) {
  if (!request.session_id.empty()) {
    return error(400, kInvalidRequest, "The session is initialized already.", message.id_json);
  }
  const std::string_view revision =
      is_known_revision(message.protocol_version) ? message.protocol_version : kRevisions.front();
  McpReply reply =
      result(R"({"protocolVersion":")" + std::string(revision) +
                 R"(","capabilities":{"tools":{}},"serverInfo":{"name":"limpet-demo-)" +
                 text::escaped(replica_id_) + R"(","version":"1.0.0"}})",
             message.id_json);
  reply.session_id = new_session_id();
  const std::lock_guard lock(mutex_);
  counts_.emplace(reply.session_id, 0);
  return reply;
}

McpReply McpSessions::call_tool(std::string_view session_id, const RpcMessage& message) {
  if (message.tool == "whoami") {
    return tool_result('"' + text::escaped(replica_id_) + '"', message.id_json);
  }
  if (message.tool == "echo") {
    if (message.text_json.empty()) {
      return error(200, kInvalidParams, "echo needs the argument text, a string.", message.id_json);
    }
    return tool_result(message.text_json, message.id_json);
  }
  if (message.tool != "count") {
    return error(200, kInvalidParams, "Unknown tool: " + message.tool, message.id_json);
  }
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(session_id);
  if (found == counts_.end()) {
    return error(404, kSessionNotFound, "Session not found", message.id_json);
  }
  return tool_result('"' + std::to_string(++found->second) + '"', message.id_json);
}

McpReply McpSessions::end(std::string_view session_id) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(session_id);
  if (found != counts_.end()) counts_.erase(found);
  return nothing(204);
}

McpReply McpSessions::check_session(const McpRequest& request, std::string_view id_json) const {
  if (request.session_id.empty()) {
    return error(400, kBadRequest, "Mcp-Session-Id is missing.", id_json);
  }
  if (!is_live(request.session_id))
    return error(404, kSessionNotFound, "Session not found", id_json);
  if (!request.protocol_version.empty() && !is_known_revision(request.protocol_version)) {
    return error(400, kBadRequest, "Unsupported protocol version.", id_json);
  }
  return nothing(200);
}

}  // namespace limpet::demo
