// SPDX-License-Identifier: Apache-2.0
#pragma once
// McpSessions: an MCP server over Streamable HTTP (revision 2025-11-25) whose sessions live in
// memory and nowhere else: just what makes affinity necessary. Requests in, replies out, no
// sockets. Neighbours: mcp_message.h reads JSON-RPC, replica_app.h routes requests here.

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "daemon/demo/mcp_message.h"
#include "daemon/http/message.h"

namespace limpet::demo {

/// What of an HTTP request matters to MCP. Empty texts are missing fields.
struct McpRequest {
  Method method = Method::kPost;
  std::string_view session_id;        ///< Mcp-Session-Id
  std::string_view protocol_version;  ///< Mcp-Protocol-Version
  std::string_view accept;
  std::string_view origin;
  std::string_view body;
};

/// What is answered.
struct McpReply {
  std::uint16_t status = 200;
  std::string body;           ///< JSON; empty for 202, 204 and streams
  std::string session_id;     ///< of the session that an initialize began
  bool opens_stream = false;  ///< 200 and an SSE stream, which lasts while its session is live
};

/// The sessions of one replica.
/// Thread: any.
class McpSessions {
 public:
  explicit McpSessions(std::string replica_id) : replica_id_(std::move(replica_id)) {}

  [[nodiscard]] McpReply answer(const McpRequest& request);
  [[nodiscard]] bool is_live(std::string_view session_id) const;

 private:
  McpReply answer_post(const McpRequest& request);
  McpReply initialize(const McpRequest& request, const RpcMessage& message);
  McpReply call_tool(std::string_view session_id, const RpcMessage& message);
  McpReply end(std::string_view session_id);
  /// The refusal that a missing or unknown session gets; status 200 where there is nothing to
  /// refuse.
  McpReply check_session(const McpRequest& request, std::string_view id_json) const;

  const std::string replica_id_;
  mutable std::mutex mutex_;
  std::map<std::string, int, std::less<>> counts_;  ///< by session id
};

}  // namespace limpet::demo
