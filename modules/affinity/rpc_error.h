// SPDX-License-Identifier: Apache-2.0
#pragma once
// rpc_error: the JSON-RPC error that tells an MCP client that its session is lost: 404's body, with
// code -32001 and the request's own id. It reads no more of a request than that id.

#include <string_view>

#include "daemon/base/arena.h"

namespace limpet::affinity {

/// The body of the answer to `request_body`. The id is repeated as it was written, where it is a
/// number or a string of one request; anything else (a batch, no JSON, no body) gets null.
/// Lifetime: the arena's, or static.
[[nodiscard]] std::string_view session_not_found(Arena& arena, std::string_view request_body);

}  // namespace limpet::affinity
