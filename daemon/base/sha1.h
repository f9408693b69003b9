// SPDX-License-Identifier: Apache-2.0
#pragma once
// SHA-1 for one purpose: the accept value of a WebSocket handshake, where RFC 6455 asks for it. It
// protects nothing there and must protect nothing anywhere; tokens have their own cryptography.

#include <array>
#include <cstdint>
#include <string_view>

namespace limpet {

using Sha1Digest = std::array<std::uint8_t, 20>;

/// The SHA-1 digest of `bytes`.
/// RFC: 3174.
[[nodiscard]] Sha1Digest sha1(std::string_view bytes);

}  // namespace limpet
