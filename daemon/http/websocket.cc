// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/websocket.h"

#include <cstring>

#include "daemon/base/sha1.h"

namespace limpet {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// RFC 6455 section 1.3: no server that does not know WebSockets would append this by accident.
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Padded base64 (RFC 4648 section 4) of a fixed number of bytes.
template <std::size_t in_bytes, std::size_t out_bytes>
std::array<char, out_bytes> base64(std::span<const std::uint8_t, in_bytes> bytes) noexcept {
  static_assert(out_bytes == (in_bytes + 2) / 3 * 4);
  std::array<char, out_bytes> out{};
  for (std::size_t group = 0; group * 3 < in_bytes; ++group) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t at = group * 3 + i;
      bits = bits << 8 | (at < in_bytes ? bytes[at] : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const bool is_padding = group * 3 + i > in_bytes;
      out[group * 4 + i] = is_padding ? '=' : kAlphabet[bits >> (18 - 6 * i) & 0x3f];
    }
  }
  return out;
}

}  // namespace

WebSocketKey make_websocket_key(std::span<const std::uint8_t, 16> random) noexcept {
  return base64<16, 24>(random);
}

bool is_websocket_key(std::string_view key) noexcept {
  constexpr std::string_view kPadding = "==";
  if (key.size() != WebSocketKey{}.size() || !key.ends_with(kPadding)) return false;
  const std::string_view digits = key.substr(0, key.size() - kPadding.size());
  if (digits.find_first_not_of(kAlphabet) != std::string_view::npos) return false;
  // The last digit carries two bits of the sixteenth byte; the others are zero in what encoders
  // write (RFC 4648 section 3.5).
  return (kAlphabet.find(digits.back()) & 0xf) == 0;
}

WebSocketAccept accept_for(std::string_view key) {
  std::array<char, WebSocketKey{}.size() + kGuid.size()> text{};
  const std::string_view taken = key.substr(0, WebSocketKey{}.size());
  std::memcpy(text.data(), taken.data(), taken.size());
  std::memcpy(text.data() + taken.size(), kGuid.data(), kGuid.size());
  const Sha1Digest digest = sha1({text.data(), taken.size() + kGuid.size()});
  return base64<20, 28>(digest);
}

bool is_accept_for(std::string_view accept, std::string_view key) {
  return accept == as_text(accept_for(key));
}

}  // namespace limpet
