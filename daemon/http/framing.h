// SPDX-License-Identifier: Apache-2.0
#pragma once
// framing: how much body follows a head, by RFC 9112 section 6, and which fields a trailer section
// may not bring. The place where request smuggling is refused: whatever two readers could count
// differently ends here. Not the reading of the body itself (http1_codec_read.cc).

#include <cstdint>

#include "daemon/http/message.h"
#include "daemon/http/refusal.h"

namespace limpet {

/// The verdict over one head.
struct Framing {
  BodyLength body;
  bool is_chunked =
      false;  ///< body is kUnknown and ends with the last chunk, not with the connection
  Refusal refusal;
};

/// The names of the fields that say how long a body is.
inline constexpr std::uint64_t kLengthFields =
    HeaderList::bit(FieldName::kContentLength) | HeaderList::bit(FieldName::kTransferEncoding);

/// What the two length fields say; a body of the kind `otherwise` where neither is there.
[[nodiscard]] Framing framing_by_fields(const HeaderList& fields, HttpVersion version,
                                        BodyLength::Kind otherwise) noexcept;

/// The body of a request. To be asked before hop-by-hop fields are stripped.
/// RFC: 9112 sections 6.1 to 6.3. Both lengths, more than one length, a list of lengths, a coding
/// other than exactly `chunked`, and any coding in HTTP/1.0 are refused.
[[gnu::always_inline]] [[nodiscard]] inline Framing request_framing(const HeaderList& fields,
                                                                    HttpVersion version) noexcept {
  if (!fields.may_have_any(kLengthFields)) return {};
  return framing_by_fields(fields, version, BodyLength::Kind::kNone);
}

/// The body of a response with `status` to a request with `method`.
/// RFC: 9112 section 6.3. The same refusals; without a length the body ends with the connection.
[[nodiscard]] Framing response_framing(const HeaderList& fields, HttpVersion version,
                                       std::uint16_t status, Method method) noexcept;

/// Whether a response with `status` never has a body.
[[nodiscard]] constexpr bool is_bodiless(std::uint16_t status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

/// Whether `field` may stand in a trailer section: nothing that frames, routes, authorises or
/// describes the content. RFC: 9110 section 6.5.1.
[[nodiscard]] bool is_trailer_allowed(const Field& field) noexcept;

}  // namespace limpet
