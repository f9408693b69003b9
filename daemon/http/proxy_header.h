// SPDX-License-Identifier: Apache-2.0
#pragma once
// proxy_header: the PROXY protocol, versions 1 and 2 (HAProxy's specification of 2020/03/05): what
// a balancer in front says about a connection before its first byte, read strictly, and what limpet
// says to replicas that want to hear it. No sockets and no judgement: whom to believe is the
// listener's `trusted`. It stands before TLS, not inside it.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base/address.h"
#include "daemon/base/buffer.h"
#include "daemon/base/proxy_version.h"

namespace limpet {

/// The most bytes a header may have; version 1 has its own bound of 107.
inline constexpr std::size_t kProxyHeaderBytesMax = 4096;

/// What a header says.
struct ProxyHeader {
  /// Whose connection it is.
  enum class Kind : std::uint8_t {
    kForwarded,  ///< a client's: the addresses are its own
    kLocal,      ///< the sender's own, a health check say: the real endpoints count
    kUnknown,    ///< a client's of whom nothing can be said: the real endpoints count
  };
  /// Whether the client came by TLS (PP2_TYPE_SSL); only version 2 can say.
  enum class Tls : std::uint8_t { kUnsaid, kNo, kYes };

  ProxyVersion version = ProxyVersion::kNone;
  Kind kind = Kind::kUnknown;
  Tls tls = Tls::kUnsaid;
  Address source;       ///< of kForwarded, else empty; empty also for a nameless Unix socket
  Address destination;  ///< likewise
};

/// How far reading came.
struct ProxyReading {
  enum class State : std::uint8_t {
    kNeedsMore,  ///< what is there may become a header: ask again with more behind it
    kDone,       ///< `header` took the first `bytes`
    kRefused,    ///< no header, or a wrong one; `reason` says why
  };
  State state = State::kNeedsMore;
  std::size_t bytes = 0;
  const char* reason = nullptr;  ///< static text
  ProxyHeader header;
};

/// Reads the header at the front of `bytes`, all that came so far. It never needs more than
/// kProxyHeaderBytesMax bytes.
/// Errors: kRefused for what is no header, a line that is not exactly in form, addresses that do
/// not suit their family, values the specification reserves, and a checksum that does not fit.
/// Cost: no allocation; a call goes over version 1 from its beginning, over version 2 once it is
/// whole.
[[nodiscard]] ProxyReading read_proxy_header(std::string_view bytes) noexcept;

/// Appends the header for a connection from `source` to `destination`; nothing for kNone. An empty
/// source is a connection of limpet's own: LOCAL, or UNKNOWN in version 1. Addresses of IPv4 and
/// IPv6 together are written as IPv6; what has no common form is UNKNOWN.
void append_proxy_header(Buffer& out, ProxyVersion version, const Address& source,
                         const Address& destination);

}  // namespace limpet
