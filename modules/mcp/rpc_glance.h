// SPDX-License-Identifier: Apache-2.0
#pragma once
// RpcGlance: what a message is, found out without the JSON library, in one short pass over its
// body: all that most calls of a session are ever asked for. It knows the plain way of writing
// only; whatever is written in another way, or might be read in two, is left to rpc_message.h.

#include <optional>
#include <string_view>

#include "modules/mcp/rpc_message.h"

namespace limpet::mcp {

struct RpcGlance {
  RpcKind kind = RpcKind::kUnreadable;
  RpcMethod method = RpcMethod::kOther;
  std::string_view name;  ///< params.name: the tool or prompt; empty where none
  std::string_view id;    ///< raw: a number or a quoted text; empty where none, or null
};

/// Says of a body what read_message() would say, or nothing where that has to be asked itself:
/// escapes, fractions or doubled keys in the message or its params, and everything malformed. Of
/// what a replica says it is kResponse where read_answer() would call it a result or an error.
/// Lifetime: views of the body. Cost: one pass, no allocation.
[[nodiscard]] std::optional<RpcGlance> glance_at(std::string_view body) noexcept;

}  // namespace limpet::mcp
