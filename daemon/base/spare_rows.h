// SPDX-License-Identifier: Apache-2.0
#pragma once
// SpareRows: blocks of memory that a thread keeps for the next who wants one of that size, in rows
// by size. Which sizes, how many, and whose memory it is, is for the caches that are made of it:
// buffer.cc, http/http2_memory.cc.

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace limpet {

/// A thread's spare blocks. Without a constructor, so that reaching them costs no question whether
/// they were constructed: one stands zeroed in thread-local memory.
template <std::size_t kRows>
struct SpareRows {
  /// Stands in each block while nobody has it.
  struct Spare {
    Spare* next;
  };

  /// A block of that row, or null.
  [[gnu::always_inline]] [[nodiscard]] void* take(std::size_t row) noexcept {
    Spare* const block = blocks[row];
    if (block == nullptr) [[unlikely]]
      return nullptr;
    blocks[row] = block->next;
    --counts[row];
    return block;
  }
  /// Whether the row has no room for another one.
  [[nodiscard]] bool is_full(std::size_t row, std::uint32_t kept) const noexcept {
    return counts[row] == kept || is_over;
  }
  [[gnu::always_inline]] void put(std::size_t row, void* block) noexcept {
    blocks[row] = new (block) Spare{blocks[row]};
    ++counts[row];
  }
  /// The thread is ending: everything is freed, and nothing is kept any more.
  template <typename Free>
  void end(Free free) noexcept {
    is_over = true;
    for (Spare*& row : blocks) {
      while (row != nullptr)
        free(std::exchange(row, row->next));
    }
  }

  std::array<Spare*, kRows> blocks;
  std::array<std::uint32_t, kRows> counts;
  bool is_over;
};

}  // namespace limpet
