// SPDX-License-Identifier: Apache-2.0
#pragma once
// Source: one place in a request that ties it to others, as listed in `from`: a cookie or session
// id that holds limpet's token, or a value (header, query, client address, principal) whose hash
// picks the replica. It reads the value; it does not judge it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/http/headers.h"
#include "daemon/module/exchange.h"
#include "daemon/module/principal.h"

namespace limpet::affinity {

struct Source {
  enum class Kind : std::uint8_t {
    kCookie,
    kSession,
    kHeader,
    kQuery,
    kClientAddress,
    kPrincipal,
  };
  Kind kind = Kind::kCookie;
  std::string name;  ///< of the header (lower case) or query parameter; else empty
  FieldName field = FieldName::kOther;  ///< of a header that limpet knows
  std::string label;                    ///< as the log shows it: "header:x-user"
  PrincipalSetting principal{};         ///< of kPrincipal: who it is
};

/// Reads one entry of `from`.
/// Errors: what was expected.
[[nodiscard]] Result<Source> parse_source(std::string_view text);

/// The value that a header, query or client-ip source finds in the exchange; empty where it is
/// silent. Mcp-Param-* and Mcp-Name are decoded, and silent where the protocol version predates
/// them: nobody has checked them against the body then.
/// Lifetime: the exchange's.
[[nodiscard]] std::string_view value_of(const Source& source, const Exchange& exchange);

/// The hash by which any source but a cookie or a session places the exchange; nothing where it is
/// silent.
[[nodiscard]] std::optional<std::uint64_t> key_in(const Source& source, const Exchange& exchange);

/// The value of the first parameter called `name`, as sent (not decoded); empty where there is
/// none.
[[nodiscard]] std::string_view query_value(std::string_view query, std::string_view name) noexcept;

}  // namespace limpet::affinity
