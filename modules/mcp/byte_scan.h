// SPDX-License-Identifier: Apache-2.0
#pragma once
// byte_scan: two searches in the text of messages, 16 bytes at a time where the processor can: for
// the end of a JSON text, and for a word. They know nothing of what they search; rpc_glance.h and
// lost_session.h do.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace limpet::mcp {

/// How far a JSON text goes on without anything special.
struct PlainText {
  const char* end;       ///< the next quote, backslash or control character, or the end of all
  bool is_ascii = true;  ///< what is before
};

[[nodiscard]] inline PlainText scan_text(const char* at, const char* const end) noexcept {
  constexpr unsigned char kFirstPrintable = 0x20;
  constexpr unsigned char kFirstBeyondAscii = 0x80;
  PlainText found{at};
#if defined(__SSE2__)
  constexpr std::ptrdiff_t kBlock = 16;
  for (; end - found.end >= kBlock; found.end += kBlock) {
    __m128i block;
    std::memcpy(&block, found.end, sizeof block);
    const __m128i last_control = _mm_set1_epi8(kFirstPrintable - 1);
    const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(block, last_control), block);
    const __m128i is_mark = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                         _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    const auto ends = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(is_control, is_mark)));
    const auto beyond = static_cast<unsigned>(_mm_movemask_epi8(block));
    if (ends != 0) {
      found.is_ascii &= (beyond & (ends - 1) & ~ends) == 0;
      found.end += std::countr_zero(ends);
      return found;
    }
    found.is_ascii &= beyond == 0;
  }
#endif
  for (; found.end != end; ++found.end) {
    const auto byte = static_cast<unsigned char>(*found.end);
    if (byte == '"' || byte == '\\' || byte < kFirstPrintable) break;
    found.is_ascii &= byte < kFirstBeyondAscii;
  }
  return found;
}

/// Whether the literal `word` stands anywhere in `text`. Cost: no stop at letters that only begin
/// like it.
template <std::size_t kSize>
[[nodiscard]] bool holds(std::string_view text, const char (&word)[kSize]) noexcept {
#if defined(__SSE2__)
  constexpr std::size_t kBlock = 16;
  constexpr std::size_t kLast = kSize - 2;  // of the word
  if (text.size() >= kBlock + kLast) {
    const std::size_t last_at = text.size() - kBlock - kLast;
    for (std::size_t at = 0;; at = std::min(at + kBlock, last_at)) {
      __m128i begins;
      __m128i ends;
      std::memcpy(&begins, text.data() + at, sizeof begins);
      std::memcpy(&ends, text.data() + at + kLast, sizeof ends);
      const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(begins, _mm_set1_epi8(word[0])),
                                         _mm_cmpeq_epi8(ends, _mm_set1_epi8(word[kLast])));
      for (auto hits = static_cast<unsigned>(_mm_movemask_epi8(both)); hits != 0; hits &= hits - 1)
        if (std::memcmp(text.data() + at + std::countr_zero(hits), word, kSize - 1) == 0)
          return true;
      if (at == last_at) return false;
    }
  }
#endif
  return text.find(word) != std::string_view::npos;
}

}  // namespace limpet::mcp
