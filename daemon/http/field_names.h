// SPDX-License-Identifier: Apache-2.0
#pragma once
// field_names: how the known field names are spelled, and reading a name off a field line: checked,
// lowered in place and recognised in one go, 16 bytes at a time. headers.h has the enumeration;
// this is for the parser, which meets ten names a request.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"
#include "daemon/http/headers.h"

#if defined(__SSE2__) && defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace limpet {

inline constexpr std::array<std::string_view, static_cast<std::size_t>(FieldName::kCount)>
    kFieldSpellings = {
        "",
        "accept",
        "authorization",
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "last-event-id",
        "limpet-affinity",
        "location",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "origin",
        "proxy-connection",
        "referer",
        "retry-after",
        "server",
        "set-cookie",
        "te",
        "traceparent",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-real-ip",
        "x-request-id",
        "arr-disable-session-affinity",
        "http2-settings",
        "sec-websocket-key",
        "sec-websocket-accept",
        "limpet-incarnation",
};

namespace field_names {

/// A table in which a name of at most 16 bytes is found by one multiplication and one comparison.
struct Index {
  static constexpr std::size_t kSlots = 128;
  /// A name's bytes in memory order, zeros behind it.
  struct alignas(16) Text {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
  };
  std::uint64_t factor = 0;
  std::array<Text, kSlots> texts{};
  std::array<FieldName, kSlots> names{};

  /// Where a name is, if it is anywhere; `folded` is the exclusive or of its two halves.
  [[nodiscard]] constexpr std::size_t slot_of(std::uint64_t folded) const noexcept {
    return static_cast<std::size_t>((folded * factor) >> 57);
  }
};

[[nodiscard]] constexpr std::uint64_t word_of(std::string_view text, std::size_t from) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t at = from + i;
    const auto byte = static_cast<unsigned char>(at < text.size() ? text[at] : '\0');
    word |=
        std::uint64_t{byte} << (std::endian::native == std::endian::little ? 8 * i : 56 - 8 * i);
  }
  return word;
}

/// Tries factors until one sends every short name to a slot of its own.
[[nodiscard]] consteval Index make_index() {
  constexpr std::size_t kShort = 16;
  for (std::uint64_t factor = 0x9e3779b97f4a7c15;; factor += 0x2545f4914f6cdd1e) {
    Index index;
    index.factor = factor;
    std::array<bool, Index::kSlots> is_taken{};
    bool is_good = true;
    for (std::size_t i = 1; i < kFieldSpellings.size() && is_good; ++i) {
      const std::string_view name = kFieldSpellings[i];
      if (name.size() > kShort) continue;
      const Index::Text text{word_of(name, 0), word_of(name, 8)};
      const std::size_t at = index.slot_of(text.first ^ text.second);
      is_good = !is_taken[at];
      is_taken[at] = true;
      index.texts[at] = text;
      index.names[at] = static_cast<FieldName>(i);
    }
    if (is_good) return index;
  }
}
inline constexpr Index kIndex = make_index();

/// 0 for what is no tchar, else the character in lower case.
inline constexpr std::array<char, 256> kLowerToken = [] {
  std::array<char, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(static_cast<unsigned char>(c));
    if (chars::is(byte, chars::kToken)) table[c] = text::lower(byte);
  }
  return table;
}();

/// The rest of a name, byte by byte, of which `length` bytes are read.
[[nodiscard]] inline std::size_t read_bytewise(char* line, std::size_t length,
                                               FieldName& id) noexcept {
  constexpr std::size_t kNameMax = 0xffff;
  while (const char c = kLowerToken[static_cast<unsigned char>(line[length])])
    line[length++] = c;
  if (line[length] != ':' || length > kNameMax) return 0;
  id = known_name({line, length});
  return length;
}

#if defined(__SSE2__) && defined(__x86_64__)
/// The letters and "-" at the start of a line.
struct Letters {
  __m128i text;  ///< in lower case, zeros behind them
  std::size_t count;
};

/// Lowers up to 16 of them in place, and reads them.
[[gnu::always_inline]] [[nodiscard]] inline Letters lower_letters(char* line) noexcept {
  constexpr std::size_t kBlock = 16;
  alignas(16) static constexpr std::array<std::int8_t, 2 * kBlock> kLanes = {
      -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  __m128i block;
  std::memcpy(&block, line, kBlock);
  const __m128i lowered = _mm_or_si128(block, _mm_set1_epi8(0x20));
  // "z" goes up to the highest signed number, and what is above it becomes negative.
  constexpr char kUp = 0x7f - 'z';
  const __m128i letter =
      _mm_cmpgt_epi8(_mm_add_epi8(lowered, _mm_set1_epi8(kUp)), _mm_set1_epi8('a' + kUp - 1));
  const __m128i dash = _mm_cmpeq_epi8(block, _mm_set1_epi8('-'));
  // Never 0: the mask has 16 bits.
  const auto others = ~static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(letter, dash)));
  const auto count = static_cast<unsigned>(__builtin_ctz(others));
  // What stands behind the name in this block must stay as it is. A dash has the bit already.
  __m128i lanes;
  std::memcpy(&lanes, kLanes.data() + kBlock - count, kBlock);
  const __m128i text = _mm_and_si128(lowered, lanes);
  block = _mm_or_si128(text, _mm_andnot_si128(lanes, block));
  std::memcpy(line, &block, kBlock);
  return {text, count};
}

[[gnu::always_inline]] [[nodiscard]] inline FieldName find(__m128i name) noexcept {
  const __m128i folded = _mm_xor_si128(name, _mm_unpackhi_epi64(name, name));
  const std::size_t at = kIndex.slot_of(static_cast<std::uint64_t>(_mm_cvtsi128_si64(folded)));
  __m128i text;
  std::memcpy(&text, &kIndex.texts[at], sizeof text);
  return _mm_movemask_epi8(_mm_cmpeq_epi8(text, name)) == 0xffff ? kIndex.names[at]
                                                                 : FieldName::kOther;
}
#endif

}  // namespace field_names

/// Lowers the field name at `line`, says which one it is and returns its length, or 0 where the
/// line, which ends in CR, does not begin with a name and a colon. 16 bytes from `line` on are
/// readable and writable. Cost: constant for names of at most 16 letters and "-"; others are
/// walked.
[[nodiscard]] inline std::size_t read_field_name(char* line, FieldName& id) noexcept {
#if defined(__SSE2__) && defined(__x86_64__)
  const field_names::Letters letters = field_names::lower_letters(line);
  if (line[letters.count] != ':') return field_names::read_bytewise(line, letters.count, id);
  id = field_names::find(letters.text);
  return letters.count;
#else
  return field_names::read_bytewise(line, 0, id);
#endif
}

/// The same for a name with ": " behind it; 0 where something else is there.
[[gnu::always_inline]] [[nodiscard]] inline std::size_t read_spaced_name(char* line,
                                                                         FieldName& id) noexcept {
#if defined(__SSE2__) && defined(__x86_64__)
  const field_names::Letters letters = field_names::lower_letters(line);
  if (std::memcmp(line + letters.count, ": ", 2) == 0) [[likely]] {
    id = field_names::find(letters.text);
    return letters.count;
  }
  const std::size_t bytes = field_names::read_bytewise(line, letters.count, id);
#else
  const std::size_t bytes = field_names::read_bytewise(line, 0, id);
#endif
  return line[bytes] == ':' && line[bytes + 1] == ' ' ? bytes : 0;
}

}  // namespace limpet
