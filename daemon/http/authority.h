// SPDX-License-Identifier: Apache-2.0
#pragma once
// authority: whom a request is for. Judges Host and the four forms of a request target, and splits
// the target into path and query without changing an octet. Not routing (proxy/router.h), and not
// the request line around the target (http1_parser.h).

#include <string_view>

#include "daemon/http/message.h"
#include "daemon/http/refusal.h"

namespace limpet {

/// A host with an optional port.
struct Authority {
  std::string_view host;  ///< IPv6 addresses in their brackets
  std::string_view port;  ///< digits, or empty
};

/// Splits and judges `text`; an empty host is refused.
/// RFC: 3986 section 3.2, without user information, which RFC 9110 section 4.2.4 forbids here.
[[nodiscard]] bool parse_authority(std::string_view text, Authority& parsed) noexcept;

/// Fills authority, scheme, path and query of `head` from `target`, which is that of its request
/// line as it came, and its Host field. method, version and fields must be there. An absolute
/// target replaces Host, and its path becomes `target`. RFC: 9112 sections 3.2 and 3.3.
[[nodiscard]] Refusal resolve_target(RequestHead& head);

}  // namespace limpet
