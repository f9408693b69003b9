// SPDX-License-Identifier: Apache-2.0
#pragma once
// websocket: the handshake values of RFC 6455 (Sec-WebSocket-Key and -Accept). They are needed
// where the two sides of a WebSocket speak different versions of HTTP: HTTP/2 has no key (RFC
// 8441), so limpet makes the one that an HTTP/1.1 replica wants, and gives the answer that an
// HTTP/1.1 client waits for. Not the frames: limpet carries them unread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace limpet {

/// A Sec-WebSocket-Key: 16 bytes in base64. RFC: 6455 section 4.1.
using WebSocketKey = std::array<char, 24>;
/// A Sec-WebSocket-Accept: 20 bytes in base64. RFC: 6455 section 4.2.2.
using WebSocketAccept = std::array<char, 28>;

/// The key made of 16 bytes that the caller drew at random.
[[nodiscard]] WebSocketKey make_websocket_key(std::span<const std::uint8_t, 16> random) noexcept;

/// Whether the value of a Sec-WebSocket-Key field is one: 16 bytes in padded base64.
/// RFC: 6455 section 4.2.1.
[[nodiscard]] bool is_websocket_key(std::string_view key) noexcept;

/// The accept value that answers `key`, which is_websocket_key().
/// RFC: 6455 section 4.2.2.
[[nodiscard]] WebSocketAccept accept_for(std::string_view key);

/// Whether a Sec-WebSocket-Accept answers `key`. A server whose accept does not fit has not
/// understood the handshake.
/// RFC: 6455 section 4.1.
[[nodiscard]] bool is_accept_for(std::string_view accept, std::string_view key);

/// The characters of a key or an accept value.
template <std::size_t bytes>
[[nodiscard]] constexpr std::string_view as_text(const std::array<char, bytes>& value) noexcept {
  return {value.data(), value.size()};
}

}  // namespace limpet
