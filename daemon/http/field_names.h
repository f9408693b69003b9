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
  /// The name's bytes in memory order, zeros behind it.
  struct Slot {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
  };
  std::uint64_t factor = 0;
  std::array<Slot, kSlots> slots{};
  std::array<FieldName, kSlots> names{};

  [[nodiscard]] static constexpr std::size_t slot_of(std::uint64_t first, std::uint64_t second,
                                                     std::uint64_t factor) noexcept {
    return static_cast<std::size_t>(((first ^ second) * factor) >> 57);
  }
  [[nodiscard]] FieldName find(std::uint64_t first, std::uint64_t second) const noexcept {
    const std::size_t at = slot_of(first, second, factor);
    return slots[at].first == first && slots[at].second == second ? names[at] : FieldName::kOther;
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
      const Index::Slot slot{word_of(name, 0), word_of(name, 8)};
      const std::size_t at = Index::slot_of(slot.first, slot.second, factor);
      is_good = !is_taken[at];
      is_taken[at] = true;
      index.slots[at] = slot;
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

}  // namespace field_names

/// Lowers the field name at `line`, says which one it is and returns its length, or 0 where the
/// line, which ends in CR, does not begin with a name and a colon. 16 bytes from `line` on are
/// readable and writable. Cost: constant for names of at most 16 letters and "-"; others are
/// walked.
[[nodiscard]] inline std::size_t read_field_name(char* line, FieldName& id) noexcept {
#if defined(__SSE2__) && defined(__x86_64__)
  constexpr std::size_t kBlock = 16;
  alignas(16) static constexpr std::array<std::int8_t, 2 * kBlock> kLanes = {
      -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  __m128i block;
  std::memcpy(&block, line, kBlock);
  const __m128i lowered = _mm_or_si128(block, _mm_set1_epi8(0x20));
  const __m128i from_a = _mm_sub_epi8(lowered, _mm_set1_epi8('a'));
  const __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8(25)), from_a);
  const __m128i dash = _mm_cmpeq_epi8(block, _mm_set1_epi8('-'));
  const auto plain = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(letter, dash)));
  const auto taken = static_cast<std::size_t>(static_cast<unsigned>(std::countr_one(plain)));
  // What stands behind the name in this block must stay as it is. A dash has the bit already.
  __m128i lanes;
  std::memcpy(&lanes, kLanes.data() + kBlock - taken, kBlock);
  block = _mm_or_si128(block, _mm_and_si128(lanes, _mm_set1_epi8(0x20)));
  std::memcpy(line, &block, kBlock);
  if (line[taken] != ':') return field_names::read_bytewise(line, taken, id);
  const __m128i name = _mm_and_si128(lowered, lanes);
  id = field_names::kIndex.find(
      static_cast<std::uint64_t>(_mm_cvtsi128_si64(name)),
      static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(name, name))));
  return taken;
#else
  return field_names::read_bytewise(line, 0, id);
#endif
}

}  // namespace limpet
