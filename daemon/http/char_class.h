// SPDX-License-Identifier: Apache-2.0
#pragma once
// char_class: which byte may stand where, as one table for all grammars of HTTP/1.
// Not a parser: http1_parser.cc, authority.cc, framing.cc and cookie.cc ask it. Case and numbers
// that have nothing to do with HTTP are in base/text.h.

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace limpet::chars {

inline constexpr std::uint8_t kToken = 1;  ///< tchar, RFC 9110 section 5.6.2
inline constexpr std::uint8_t kTarget =
    2;  ///< visible ASCII but "#": what a request target may hold
inline constexpr std::uint8_t kRegName = 4;  ///< unreserved and sub-delims, RFC 3986 section 3.2.2
inline constexpr std::uint8_t kControl =
    8;  ///< CTL but HTAB: never in a head, RFC 9110 section 5.5
inline constexpr std::uint8_t kHexDigit = 16;

namespace internal {
[[nodiscard]] constexpr bool is_alpha_or_digit(unsigned c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
[[nodiscard]] constexpr bool is_any_of(unsigned c, std::string_view set) noexcept {
  return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
}
}  // namespace internal

inline constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alnum = internal::is_alpha_or_digit(c);
    unsigned bits = 0;
    if (alnum || internal::is_any_of(c, "!#$%&'*+-.^_`|~")) bits |= kToken;
    if (c > 0x20 && c < 0x7f && c != '#') bits |= kTarget;
    if (alnum || internal::is_any_of(c, "-._~!$&'()*+,;=")) bits |= kRegName;
    if ((c < 0x20 && c != '\t') || c == 0x7f) bits |= kControl;
    if (internal::is_any_of(c, "0123456789abcdefABCDEF")) bits |= kHexDigit;
    table[c] = static_cast<std::uint8_t>(bits);
  }
  return table;
}();

[[nodiscard]] constexpr bool is(char c, std::uint8_t classes) noexcept {
  return (kClasses[static_cast<unsigned char>(c)] & classes) != 0;
}
/// Whether every byte is of one of `classes`; an empty text is.
[[nodiscard]] constexpr bool are_all(std::string_view text, std::uint8_t classes) noexcept {
  for (const char c : text) {
    if (!is(c, classes)) return false;
  }
  return true;
}
/// Whether `text` is a token: one tchar or more.
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && are_all(text, kToken);
}
/// Whether `text`, which holds no controls, is `name` but for ASCII case; `name` is of 4 to 16
/// letters, digits and "-". Cost: two wide compares when `name` is a literal.
[[nodiscard]] inline bool lowers_to(std::string_view text, std::string_view name) noexcept {
  if (text.size() != name.size()) return false;
  const auto same = [&]<typename Word>(Word letter_bits) {
    const std::size_t last = name.size() - sizeof(Word);
    Word a, b, c, d;
    std::memcpy(&a, text.data(), sizeof a);
    std::memcpy(&b, name.data(), sizeof b);
    std::memcpy(&c, text.data() + last, sizeof c);
    std::memcpy(&d, name.data() + last, sizeof d);
    return (((a | letter_bits) ^ b) | ((c | letter_bits) ^ d)) == 0;
  };
  return name.size() >= 8 ? same(std::uint64_t{0x2020202020202020})
                          : same(std::uint32_t{0x20202020});
}
/// The value of a hexadecimal digit.
[[nodiscard]] constexpr unsigned hex_value(char c) noexcept {
  return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a' + 10);
}

}  // namespace limpet::chars
