// SPDX-License-Identifier: Apache-2.0
#pragma once
// http1_quick_head: the one-pass reading of a head that is what nearly every head is: arrived
// whole, short, without anything unusual. It refuses nothing and forgives nothing: whatever it does
// not like is left to the careful way (http1_parser.h), which decides. Both read the same from what
// both read; the tests hold them against each other.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "daemon/http/field_names.h"
#include "daemon/http/http1_parser.h"

namespace limpet {

namespace quick_head {

// The first byte from `at` on that is a control, a HTAB or above 0x7e. There is one: zeros follow
// the bytes.
[[gnu::always_inline]] [[nodiscard]] inline char* find_suspect(char* at) noexcept {
#if defined(__SSE2__)
  constexpr std::size_t kBlock = 16;
  constexpr unsigned kAll = 0xffff;
  for (;; at += kBlock) {
    __m128i block;
    std::memcpy(&block, at, kBlock);
    // One up and signed: 0x7f turns negative like the bytes above it.
    const __m128i next = _mm_add_epi8(block, _mm_set1_epi8(1));
    const auto plain =
        static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpgt_epi8(next, _mm_set1_epi8(0x20))));
    if (plain != kAll) return at + static_cast<unsigned>(__builtin_ctz(~plain));
  }
#else
  while (static_cast<unsigned char>(*at) >= 0x20 && static_cast<unsigned char>(*at) < 0x7f)
    ++at;
  return at;
#endif
}

[[nodiscard]] inline bool is_line_end(const char* at) noexcept {
  return std::memcmp(at, "\r\n", 2) == 0;
}
[[nodiscard]] inline bool is_visible(char c) noexcept {
  return static_cast<unsigned char>(c) > ' ';
}

}  // namespace quick_head

/// Bytes that must be readable and writable behind those given to read_quick_head().
inline constexpr std::size_t kQuickSlack = 32;

/// A head that was read quickly.
struct QuickHead {
  std::string_view start_line;      ///< without its CRLF; not judged; in the copy
  std::uint32_t section_bytes = 0;  ///< with the empty line
  std::uint32_t charged_bytes = 0;  ///< name + value + 32 a field
};

/// Reads the head at the beginning of `copy`, which is `bytes` long and may hold more than the
/// head; lowers the names in place and adds the fields, which borrow from the copy. False where the
/// head is not complete or not of the usual kind: then `fields` is as it was and `copy` is spoilt.
/// Cost: one pass.
[[gnu::always_inline]] [[nodiscard]] inline bool read_quick_head(char* copy, std::size_t bytes,
                                                                 const CodecLimits& limits,
                                                                 HeaderList& fields,
                                                                 QuickHead& head) noexcept {
  constexpr std::size_t kFieldCharge = 32;
  const std::size_t fields_max =
      std::min<std::size_t>(limits.header_fields, HeaderList::kFirstCapacity);
  Field* const first = fields.reserve(HeaderList::kFirstCapacity);
  Field* const last = first + fields_max;
  std::memset(copy + bytes, 0, kQuickSlack);
  char* end = quick_head::find_suspect(copy);
  head.start_line = {copy, static_cast<std::size_t>(end - copy)};
  if (!quick_head::is_line_end(end) || end == copy ||
      head.start_line.size() > limits.request_line_bytes)
    return false;
  char* line = end + 2;
  char* const fields_start = line;

  Field* field = first;
  std::uint64_t present = 0;
  if (quick_head::is_line_end(line)) return false;
  do {
    if (field == last) return false;
    FieldName id = FieldName::kOther;
    // One space in front of the value and none behind is what everybody sends.
    const std::size_t name_bytes = read_spaced_name(line, id);
    char* const value = line + name_bytes + 2;
    if (name_bytes == 0 || !quick_head::is_visible(*value)) return false;
    end = quick_head::find_suspect(value);
    if (!quick_head::is_line_end(end) || end[-1] == ' ') return false;
    field->set_line(id, line, name_bytes, static_cast<std::size_t>(end - value));
    present |= HeaderList::bit(id);
    ++field;
    line = end + 2;
  } while (!quick_head::is_line_end(line));
  const auto section = static_cast<std::size_t>(line - fields_start);
  if (section > limits.header_bytes) return false;
  const auto count = static_cast<std::size_t>(field - first);
  head.section_bytes = static_cast<std::uint32_t>(line + 2 - copy);
  // Of each line the name and the value, but neither ": " nor CRLF.
  head.charged_bytes = static_cast<std::uint32_t>(section + count * (kFieldCharge - 4));
  fields.commit_run(count, present, section);
  return true;
}

}  // namespace limpet
