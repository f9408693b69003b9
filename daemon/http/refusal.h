// SPDX-License-Identifier: Apache-2.0
#pragma once
// Refusal: what the rooms of HTTP/1 reading hand to each other when the bytes break a rule: which
// Fault and the rule's text. Not an event: the codec makes one of it (http1_codec.h), and turns
// every refusal of a response into kBadResponse.

#include "daemon/http/stream_event.h"

namespace limpet {

/// A breach of the protocol, or none.
struct [[nodiscard]] Refusal {
  Fault fault = Fault::kNone;
  const char* reason = nullptr;  ///< static text that cites the rule

  [[nodiscard]] bool is_refused() const noexcept { return fault != Fault::kNone; }
};

/// The refusal most rules end in: 400.
[[nodiscard]] constexpr Refusal bad(const char* reason) noexcept {
  return {Fault::kBadRequest, reason};
}

}  // namespace limpet
