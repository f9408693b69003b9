// SPDX-License-Identifier: Apache-2.0
#pragma once
// expectation: what both codecs make of Expect, and how many 1xx responses they take. Not the
// sending of a 100 (proxy/relay.h).

#include <cstdint>

#include "daemon/http/message.h"
#include "daemon/http/refusal.h"

namespace limpet {

/// 1xx heads live in the arena of their exchange, so a replica may not send them without end.
inline constexpr std::uint8_t kInformationalMax = 32;

/// Sets expects_continue of a head whose fields and body are known; takes an Expect out that there
/// is no reason for. RFC: 9110 section 10.1.1. Errors: kExpectationFailed for anything else that is
/// expected.
[[nodiscard]] Refusal read_expect(RequestHead& head) noexcept;

}  // namespace limpet
