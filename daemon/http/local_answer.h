// SPDX-License-Identifier: Apache-2.0
#pragma once
// local_answer: the small responses limpet gives itself, errors mostly. It builds head and body in
// an arena; sending them, the Date, and leaving the body out for HEAD are others' matter
// (proxy/relay.h, http1_codec.h).

#include <cstdint>
#include <string_view>

#include "daemon/http/message.h"

namespace limpet {

/// kGrpc: an error is told by grpc-status and grpc-message under the HTTP status 200, without a
/// body.
enum class AnswerForm : std::uint8_t { kPlain, kJson, kGrpc };

/// The form for a request with these fields: that of gRPC for its calls (grpc.h); JSON when Accept
/// names application/json or a +json type, not for wildcards. RFC: 9110 section 12.5.1; q=0 means
/// no.
[[nodiscard]] AnswerForm answer_form(const HeaderList& request_fields) noexcept;

/// What a local answer says. The texts may be of any bytes: they are escaped.
struct LocalAnswerFacts {
  std::uint16_t status = 500;
  AnswerForm form = AnswerForm::kPlain;
  std::string_view request_id;  ///< or empty
  std::string_view detail;      ///< a sentence for the user, or empty
};

struct LocalAnswer {
  ResponseHead* head = nullptr;  ///< with Content-Type, Content-Length and Cache-Control: no-store;
                                 ///< for kGrpc with Content-Type and the two fields of its own
  std::string_view body;
};

/// Builds the answer. For a status that has no body the body is empty and no field describes one.
/// What is no error (a status below 400) is plain for gRPC too.
/// Lifetime: that of the arena.
[[nodiscard]] LocalAnswer make_local_answer(Arena& arena, const LocalAnswerFacts& facts);

}  // namespace limpet
