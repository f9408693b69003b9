// SPDX-License-Identifier: Apache-2.0
#pragma once
// hop_by_hop: what a head says about this one connection, read and taken out, so that nothing of it
// reaches the other side. The codec writes its own words there (http1_codec_write.cc). Trailer is
// kept: it speaks of the message.

#include <cstdint>
#include <string_view>

#include "daemon/http/headers.h"
#include "daemon/http/refusal.h"

namespace limpet {

/// What the hop-by-hop fields said; small enough to be returned in registers.
struct HopByHop {
  bool has_close = false;
  bool has_keep_alive = false;
  bool has_upgrade = false;       ///< Connection names Upgrade
  bool accepts_trailers = false;  ///< TE: trailers
  bool offers_websocket = false;  ///< Upgrade lists websocket
  /// Keep-Alive: timeout=N, how long the other side keeps the connection unused; 0 = not said.
  std::uint16_t kept_seconds = 0;
  const char* fault = nullptr;  ///< static text that cites the rule that the head breaks

  [[nodiscard]] Refusal refusal() const noexcept {
    return fault == nullptr ? Refusal{} : bad(fault);
  }
};

enum class MessageKind : std::uint8_t { kRequest, kResponse };

/// The names of the fields that never go on.
inline constexpr std::uint64_t kHopByHopFields =
    HeaderList::bit(FieldName::kConnection) | HeaderList::bit(FieldName::kKeepAlive) |
    HeaderList::bit(FieldName::kProxyConnection) | HeaderList::bit(FieldName::kTe) |
    HeaderList::bit(FieldName::kTransferEncoding) | HeaderList::bit(FieldName::kUpgrade) |
    HeaderList::bit(FieldName::kHttp2Settings);

/// Reads Connection, TE, Upgrade and Keep-Alive, then removes them, Proxy-Connection,
/// Transfer-Encoding, HTTP2-Settings and every field that Connection names. RFC: 9110
/// section 7.6.1. A request that names a field which frames or routes it is refused; a response
/// that does is not obeyed in that point.
[[nodiscard]] HopByHop strip_hop_by_hop(HeaderList& fields, MessageKind kind) noexcept;

}  // namespace limpet
