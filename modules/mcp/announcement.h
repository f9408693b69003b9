// SPDX-License-Identifier: Apache-2.0
#pragma once
// announcement: what a client is told, in its own GET stream, after its session was carried over:
// that what the server kept in memory for it is lost, and that lists may have changed, so that it
// asks for them anew. Only notifications that its server has declared are sent.

#include <string>
#include <string_view>

namespace limpet::mcp {

/// The events, ready for a stream; empty where the server's capabilities (raw) allow none of them.
[[nodiscard]] std::string announcement(std::string_view capabilities);

}  // namespace limpet::mcp
