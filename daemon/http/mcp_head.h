// SPDX-License-Identifier: Apache-2.0
#pragma once
// mcp_head: what the head of a request says in MCP (Model Context Protocol), without its body: the
// era it is of, tasks and parameters that it names, and the session id in the query of a legacy
// POST. Headers are believed only where the protocol version makes the replica check them against
// the body. Bodies are read in modules/mcp.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/message.h"

namespace limpet {

/// The first revision without sessions.
inline constexpr std::string_view kFirstModernVersion = "2026-07-28";
inline constexpr std::size_t kHeaderValueBytesMax = 4 * 1024;
/// What names of mirrored parameters begin with.
inline constexpr std::string_view kParameterPrefix = "mcp-param-";

/// "2025-11-25" and the like; the order of the texts is that of the revisions.
[[nodiscard]] bool is_version(std::string_view text) noexcept;
[[nodiscard]] bool is_modern_version(std::string_view text) noexcept;

enum class Era : std::uint8_t {
  kSession,  ///< initialize and session ids (2025-11-25 and before)
  kModern,   ///< no sessions (2026-07-28 and later)
};
/// By the protocol version header. A request without one is of the session era: clients of that era
/// send initialize without.
[[nodiscard]] Era era_of(const RequestHead& request) noexcept;

/// The value of Mcp-Name or Mcp-Param-*: as it stands, or decoded where it is wrapped in
/// =?base64?…?=. Errors: nothing for a wrapped value that does not decode, or one too long.
[[nodiscard]] std::optional<std::string> decoded_value(std::string_view value);
/// Mcp-Param-NAME of a modern request, decoded; nothing where it is missing, stands there twice,
/// does not decode, or the version predates the check.
[[nodiscard]] std::optional<std::string> parameter_of(const RequestHead& request,
                                                      std::string_view lower_case_name);
/// Whether calls of that method carry the id of a task in Mcp-Name.
[[nodiscard]] bool names_task(std::string_view method) noexcept;
/// The id of the task that a modern request is about, from Mcp-Method and Mcp-Name.
[[nodiscard]] std::optional<std::string> task_of(const RequestHead& request);

/// Where the session id stands in a URI.
struct QueryValue {
  std::size_t begin = 0;
  std::size_t bytes = 0;  ///< 0 = there is none
};
/// Finds the value of sessionId, session_id or sessionid, in any case of letters, in the query of a
/// relative or absolute URI. The value is taken as written, percent signs and all.
[[nodiscard]] QueryValue find_session_id(std::string_view uri) noexcept;
/// The same in a query alone, without its "?".
[[nodiscard]] QueryValue find_session_id_in_query(std::string_view query) noexcept;

}  // namespace limpet
