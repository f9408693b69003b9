// SPDX-License-Identifier: Apache-2.0
#pragma once
// framing: how much body follows a head, by RFC 9112 section 6, and which fields a trailer section
// may not bring. The place where request smuggling is refused: whatever two readers could count
// differently ends here. Not the reading of the body itself (http1_codec_read.cc).

#include <cstdint>

#include "daemon/http/message.h"
#include "daemon/http/refusal.h"

namespace limpet {

/// The names of the fields that say how long a body is.
inline constexpr std::uint64_t kLengthFields =
    HeaderList::bit(FieldName::kContentLength) | HeaderList::bit(FieldName::kTransferEncoding);

/// Writes to `body` what the two length fields say; a body of the kind `otherwise` where neither is
/// there. Of a kUnknown one that Transfer-Encoding told, the last chunk is the end. Errors: the
/// refusal, with `body` as it was.
[[nodiscard]] Refusal framing_by_fields(const HeaderList& fields, HttpVersion version,
                                        BodyLength::Kind otherwise, BodyLength& body) noexcept;

/// The body of a request. To be asked before hop-by-hop fields are stripped.
/// RFC: 9112 sections 6.1 to 6.3. Both lengths, more than one length, a list of lengths, a coding
/// other than exactly `chunked`, and any coding in HTTP/1.0 are refused.
[[gnu::always_inline]] [[nodiscard]] inline Refusal request_framing(const HeaderList& fields,
                                                                    HttpVersion version,
                                                                    BodyLength& body) noexcept {
  body = {};
  if (!fields.may_have_any(kLengthFields)) return {};
  return framing_by_fields(fields, version, BodyLength::Kind::kNone, body);
}

/// The body of a response with `status` to a request with `method`.
/// RFC: 9112 section 6.3. The same refusals; without a length the body ends with the connection.
[[nodiscard]] Refusal response_framing(const HeaderList& fields, HttpVersion version,
                                       std::uint16_t status, Method method,
                                       BodyLength& body) noexcept;

/// Whether a response with `status` never has a body.
[[nodiscard]] constexpr bool is_bodiless(std::uint16_t status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

/// Whether `field` may stand in a trailer section: nothing that frames, routes, authorises or
/// describes the content. RFC: 9110 section 6.5.1.
[[nodiscard]] bool is_trailer_allowed(const Field& field) noexcept;

}  // namespace limpet
