// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text: ASCII case, trimming, numbers, quoting. No locale, no allocation unless the name says so.

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace limpet::text {

[[nodiscard]] constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

/// Whether both are the same but for ASCII case.
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}
[[nodiscard]] constexpr bool starts_with_ignoring_case(std::string_view whole,
                                                       std::string_view start) noexcept {
  return whole.size() >= start.size() && equals_ignoring_case(whole.substr(0, start.size()), start);
}

/// Whether `whole` begins with, ends with a literal. Cost: wide compares, no call.
template <std::size_t kSize>
[[gnu::always_inline]] [[nodiscard]] inline bool begins_with(std::string_view whole,
                                                             const char (&start)[kSize]) noexcept {
  return whole.size() >= kSize - 1 && std::memcmp(whole.data(), start, kSize - 1) == 0;
}
template <std::size_t kSize>
[[gnu::always_inline]] [[nodiscard]] inline bool ends_with(std::string_view whole,
                                                           const char (&end)[kSize]) noexcept {
  return whole.size() >= kSize - 1 &&
         std::memcmp(whole.data() + whole.size() - (kSize - 1), end, kSize - 1) == 0;
}
/// Whether both are the same. Cost: where their lengths differ, no call.
[[gnu::always_inline]] [[nodiscard]] inline bool equals(std::string_view a,
                                                        std::string_view b) noexcept {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace internal {
/// Copies both ends of `s`, which overlap where it is shorter than two words.
template <typename Word>
[[gnu::always_inline]] inline void copy_ends(char* to, std::string_view s) noexcept {
  Word first, last;
  std::memcpy(&first, s.data(), sizeof first);
  std::memcpy(&last, s.data() + s.size() - sizeof last, sizeof last);
  std::memcpy(to, &first, sizeof first);
  std::memcpy(to + s.size() - sizeof last, &last, sizeof last);
}
}  // namespace internal

/// Copies `s`, mostly a short one, to `to`; returns the end. Cost: no call for up to 16 bytes.
[[gnu::always_inline]] inline char* put_short(char* to, std::string_view s) noexcept {
  if (s.size() > 16) {
    std::memcpy(to, s.data(), s.size());
  } else if (s.size() >= 8) {
    internal::copy_ends<std::uint64_t>(to, s);
  } else if (s.size() >= 4) {
    internal::copy_ends<std::uint32_t>(to, s);
  } else if (s.size() >= 2) {
    internal::copy_ends<std::uint16_t>(to, s);
  } else if (s.size() == 1) {
    *to = s.front();
  }
  return to + s.size();
}

/// Without spaces and tabs at both ends (OWS of RFC 9110 section 5.6.3).
[[nodiscard]] constexpr std::string_view trim(std::string_view s) noexcept {
  while (!s.empty() && is_space(s.front()))
    s.remove_prefix(1);
  while (!s.empty() && is_space(s.back()))
    s.remove_suffix(1);
  return s;
}

/// The part before the first `separator`; `rest` becomes what is behind it, or empty.
[[nodiscard]] constexpr std::string_view cut(std::string_view& rest, char separator) noexcept {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return head;
}

/// A whole number in decimal, nothing before or behind it, no sign.
[[nodiscard]] inline std::optional<std::uint64_t> parse_unsigned(std::string_view s) noexcept {
  std::uint64_t value = 0;
  if (s.empty() || !is_digit(s.front())) return std::nullopt;
  const auto [end, fault] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (fault != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

[[nodiscard]] std::string to_lower(std::string_view s);
/// `s` with quotes, backslashes, controls and bytes above 0x7e escaped, for JSON strings and logs,
/// without the surrounding quotes. Invalid or non-ASCII bytes become \u00XX, so that one byte never
/// hides another.
void append_escaped(std::string& out, std::string_view s);
[[nodiscard]] std::string escaped(std::string_view s);
/// The candidate nearest to `word` by edit distance, or empty when none is near.
/// Cost: candidates × length².
template <typename Candidates>
[[nodiscard]] std::string_view nearest(std::string_view word, const Candidates& candidates);
/// Edit distance with adjacent swaps counting one.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

template <typename Candidates>
std::string_view nearest(std::string_view word, const Candidates& candidates) {
  std::string_view best;
  std::size_t best_distance = word.size() / 3 + 2;  // a third of the letters may be wrong
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

/// Base64url without padding (RFC 4648 section 5).
[[nodiscard]] std::string base64url(std::string_view bytes);
/// Writes the base64url of `bytes` to `out`, which has room for encoded_length(bytes.size());
/// returns the end.
char* base64url_to(char* out, std::string_view bytes) noexcept;
[[nodiscard]] constexpr std::size_t base64url_length(std::size_t bytes) noexcept {
  return (bytes * 4 + 2) / 3;
}
/// The bytes behind base64url (or plain base64, with or without padding) text, or nothing where it
/// is malformed.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view s);

}  // namespace limpet::text
