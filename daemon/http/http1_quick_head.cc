// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http1_quick_head.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "daemon/http/field_names.h"

namespace limpet {

namespace {

// The first byte from `at` on that is a control, a HTAB or above 0x7f. There is one: zeros follow
// the bytes.
[[nodiscard]] inline char* find_suspect(char* at) noexcept {
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
    if (plain != kAll) return at + static_cast<unsigned>(std::countr_one(plain));
  }
#else
  while (static_cast<unsigned char>(*at) >= 0x20 && static_cast<unsigned char>(*at) < 0x7f)
    ++at;
  return at;
#endif
}

[[nodiscard]] inline bool is_line_end(const char* at) noexcept {
  return at[0] == '\r' && at[1] == '\n';
}
[[nodiscard]] inline bool is_visible(char c) noexcept {
  return static_cast<unsigned char>(c) > ' ';
}

}  // namespace

bool read_quick_head(char* copy, std::size_t bytes, const SectionLimits& limits, HeaderList& fields,
                     QuickHead& head) noexcept {
  constexpr std::size_t kFieldCharge = 32;
  std::memset(copy + bytes, 0, kQuickSlack);
  char* end = find_suspect(copy);
  head.start_line = {copy, static_cast<std::size_t>(end - copy)};
  if (!is_line_end(end) || end == copy || head.start_line.size() > limits.first_line_bytes)
    return false;
  char* line = end + 2;
  char* const fields_start = line;

  const std::size_t fields_max = std::min<std::size_t>(limits.fields, HeaderList::kFirstCapacity);
  Field* const first = fields.reserve(fields_max);
  Field* field = first;
  std::uint64_t present = 0;
  std::size_t charged = 0;
  for (; *line != '\r'; ++field, line = end + 2) {
    if (field == first + fields_max) return false;
    const std::size_t name_bytes = read_field_name(line, field->id);
    char* const value = line + name_bytes + 2;
    // One space in front of the value and none behind is what everybody sends.
    if (name_bytes == 0 || value[-1] != ' ' || !is_visible(*value)) return false;
    end = find_suspect(value);
    if (!is_line_end(end) || end[-1] == ' ') return false;
    field->name_data = line;
    field->value_data = value;
    field->value_bytes = static_cast<std::uint32_t>(end - value);
    field->name_bytes = static_cast<std::uint16_t>(name_bytes);
    field->mark(Field::Form::kLine);
    present |= HeaderList::bit(field->id);
    charged += static_cast<std::size_t>(end - line) + (kFieldCharge - 2);
  }
  if (line[1] != '\n' || static_cast<std::size_t>(line - fields_start) > limits.field_bytes)
    return false;
  head.section_bytes = static_cast<std::uint32_t>(line + 2 - copy);
  head.charged_bytes = static_cast<std::uint32_t>(charged);
  fields.commit(static_cast<std::size_t>(field - first), present);
  return true;
}

}  // namespace limpet
