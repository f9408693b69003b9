// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers: limpet's own responses as the relay gives them (status, redirect, Retry-After). The
// bodies are made by http/local_answer.h; what every response gets on its way,
// http/response_lines.h.

#include <string_view>

#include "daemon/http/local_answer.h"
#include "daemon/module/exchange.h"

namespace limpet {

/// The response for Exchange::answer, in the exchange's arena, Date included.
/// Borrows: `date`, until the head is written.
[[nodiscard]] LocalAnswer make_answer(const Exchange& exchange, std::string_view date);

/// Where a redirect leads: `to` with {host}, {path} and {query} filled in from the request ({query}
/// with its "?").
[[gnu::noinline]] [[nodiscard]] std::string_view redirect_location(Arena& arena,
                                                                   std::string_view to,
                                                                   const RequestHead& request);

/// Whether the response is a stream of server-sent events, which ends only when somebody leaves.
[[gnu::noinline]] [[nodiscard]] bool is_event_stream(const ResponseHead& head) noexcept;

}  // namespace limpet
