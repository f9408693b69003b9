// SPDX-License-Identifier: Apache-2.0
#pragma once
// RpcMessage: what a sample MCP replica needs to know of one JSON-RPC message. Its source is the
// one place of the demo that knows a JSON library. Neighbour: mcp_sessions.h, which answers
// messages.

#include <cstdint>
#include <string>
#include <string_view>

namespace limpet::demo {

/// One JSON-RPC message of a client.
struct RpcMessage {
  enum class Kind : std::uint8_t {
    kMalformed,     ///< not JSON: -32700
    kInvalid,       ///< JSON, but no JSON-RPC message (a batch among them): -32600
    kRequest,       ///< has an id and wants an answer
    kNotification,  ///< has no id
    kResponse,      ///< answers a request of ours
  };

  Kind kind = Kind::kMalformed;
  std::string id_json = "null";  ///< as JSON, to be said back
  std::string method;
  std::string protocol_version;  ///< params.protocolVersion
  std::string tool;              ///< params.name
  std::string text_json;         ///< params.arguments.text as a JSON string, or empty
};

/// Reads the body of a POST.
/// Errors: by `kind`; never throws.
[[nodiscard]] RpcMessage read_rpc(std::string_view body);

}  // namespace limpet::demo
