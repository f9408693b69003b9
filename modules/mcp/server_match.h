// SPDX-License-Identifier: Apache-2.0
#pragma once
// server_match: whether another replica's server is the same to a client that has been told what
// the first one can do. It compares; what is done about a difference, handshake.h knows.

#include <cstdint>
#include <string>
#include <string_view>

#include "modules/mcp/session_record.h"

namespace limpet::mcp {

/// Whether sessions are carried over: the setting carry_over.
enum class CarryPolicy : std::uint8_t {
  kOff,
  kCompatible,  ///< where the new server is the same to the client
  kAlways,      ///< also where server or capabilities differ, but never over protocol versions: the
                ///< client would be refused ever after
};

/// Whether every capability of `before` is there in `after` as well: objects member by member,
/// other values by their text; what was false or null may be missing. Both are raw JSON.
[[nodiscard]] bool covers(std::string_view after, std::string_view before);

/// What keeps the session from moving under that policy, as the end of a log line; empty where
/// nothing does.
[[nodiscard]] std::string difference(const ServerFacts& before, const ServerFacts& after,
                                     CarryPolicy policy);

}  // namespace limpet::mcp
