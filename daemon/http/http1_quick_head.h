// SPDX-License-Identifier: Apache-2.0
#pragma once
// http1_quick_head: the one-pass reading of a head that is what nearly every head is: arrived
// whole, short, without anything unusual. It refuses nothing and forgives nothing: whatever it does
// not like is left to the careful way (http1_parser.h), which decides. Both read the same from what
// both read; the tests hold them against each other.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/http/http1_parser.h"

namespace limpet {

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
[[nodiscard]] bool read_quick_head(char* copy, std::size_t bytes, const SectionLimits& limits,
                                   HeaderList& fields, QuickHead& head) noexcept;

}  // namespace limpet
