// SPDX-License-Identifier: Apache-2.0
#pragma once
// lost_session: the rules by which an answer says that a replica does not know a session, in
// whichever way its server says so, and when it only may. The revisions demand 404 for it; servers
// answer 400, plain text, 503, or 200 with an error. What silence means (a server that never
// answers, a refused connection) is no answer and not decided here.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/http/message.h"
#include "modules/mcp/rpc_message.h"

namespace limpet::mcp {

/// As much of a body as the rules ever need; an answer that is longer is about something else.
inline constexpr std::size_t kLostBodyBytes = 4 * 1024;

enum class Loss : std::uint8_t {
  kNotLost,
  kLost,
  kDoubtful,  ///< a ping on the same id settles it
};

/// What was asked.
struct AskedOfSession {
  Method method = Method::kPost;
  bool has_session_id = false;         ///< without one nothing can be lost
  RpcMethod call = RpcMethod::kOther;  ///< kInitialize never meets a lost session
};
/// What came back.
struct SessionAnswer {
  std::uint16_t status = 0;
  std::string_view content_type;
  std::string_view body;  ///< its first bytes, at least kLostBodyBytes or all
  bool is_whole = false;  ///< `body` is all of it
};

/// How many bytes of the body have to be seen for a verdict; 0 where the head alone shows that
/// nothing is lost. A stream is never waited for: its head goes to the client at once.
[[nodiscard]] std::size_t bytes_to_judge(const AskedOfSession& asked,
                                         const ResponseHead& head) noexcept;

/// The rules, first match:
///   no session id sent, or initialize      not lost
///   404, 410                               lost; but not -32601, which names a method
///   400, 422  no-session text              lost; doubtful in an error with the request's id
///             -32700, -32601, -32602, …    not lost: it answers the request
///             anything else                doubtful
///   500, 503  no-session text              lost (503) or doubtful (500)
///   2xx       an error with that text      lost without the request's id, doubtful with it
///   anything else                          not lost
[[nodiscard]] Loss judge_answer(const AskedOfSession& asked, const SessionAnswer& answer);

/// What the answer to a ping on the same id says of a doubtful one: a result, or any error of the
/// method itself, is life; whatever is not about the session (401, 403, 5xx) leaves it alive.
[[nodiscard]] Loss judge_ping(const SessionAnswer& answer);

/// Whether a text says that a session is not known, in the words that servers use.
[[nodiscard]] bool says_no_session(std::string_view text) noexcept;

}  // namespace limpet::mcp
