// SPDX-License-Identifier: Apache-2.0
#pragma once
// modern: revision 2026-07-28 and later, which has no sessions: which task a result has created,
// and which era a replica speaks, by its answers. What a request's head says is
// daemon/http/mcp_head.h.

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/http/mcp_head.h"

namespace limpet::mcp {

/// The id of the task that a result has created; empty where it has created none.
[[nodiscard]] std::string created_task(std::string_view result);

/// The name of the client program that sends a request; empty where it does not say.
[[nodiscard]] std::string client_name_in(std::string_view request);

/// Which eras a replica speaks, as far as is known.
enum class Speaks : std::uint8_t { kUnknown, kYes, kNo };

/// The probe that asks for the modern era: POST with these fields and body.
[[nodiscard]] std::string discover_body();

/// What the answer to server/discover says about the modern era. Credentials wanted, an overload or
/// a fault say nothing.
[[nodiscard]] Speaks speaks_modern(std::uint16_t status, std::string_view content_type,
                                   std::string_view body);
/// What the answer to an initialize says about the session era: modern-only servers refuse it with
/// an error that only they have.
[[nodiscard]] Speaks speaks_sessions(std::uint16_t status, std::string_view content_type,
                                     std::string_view body);

}  // namespace limpet::mcp
