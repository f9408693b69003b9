// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_memory.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace limpet {

namespace {

// Stands before each piece.
struct alignas(16) Header {
  std::size_t bytes;  // of the whole block
};

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses = 16;  // blocks of up to 1 KiB; what is larger is rare
constexpr std::uint32_t kKept = 512;

struct Spare {
  Spare* next;
};

// Without a constructor, so that reaching it costs no question whether it was constructed.
struct Spares {
  std::array<Spare*, kClasses> blocks;
  std::array<std::uint32_t, kClasses> counts;
  char* workbench;
  bool is_over;  // the thread is ending: nothing is kept any more
};
constinit thread_local Spares mine{};

// Frees a thread's spares when it ends.
struct Cleaner {
  Cleaner() = default;
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;
  ~Cleaner() {
    mine.is_over = true;
    for (Spare*& row : mine.blocks) {
      while (row != nullptr)
        std::free(std::exchange(row, row->next));
    }
    std::free(std::exchange(mine.workbench, nullptr));
  }
  void stand_by() const noexcept {}
};

void* take_fresh(std::size_t bytes) {
  thread_local const Cleaner cleaner;
  cleaner.stand_by();
  return std::malloc(bytes);
}

// Where faults in the use of memory are looked for, each piece is one of malloc's.
#if defined(__SANITIZE_ADDRESS__) || defined(LIMPET_DEBUG)
constexpr bool kKeepsSpares = false;
#else
constexpr bool kKeepsSpares = true;
#endif

// A frame with all that the library puts around it.
constexpr std::size_t kWorkbenchBytes = 17 * 1024;

[[nodiscard]] void* workbench() {
  if (mine.workbench == nullptr) mine.workbench = static_cast<char*>(take_fresh(kWorkbenchBytes));
  return mine.workbench;
}

[[nodiscard]] Header* header_of(void* piece) noexcept { return static_cast<Header*>(piece) - 1; }

}  // namespace

void* Http2Memory::take(std::size_t bytes) noexcept {
  if (bytes >= kFrameBytes) [[unlikely]] {
    if (bytes > std::numeric_limits<std::uint32_t>::max()) return nullptr;
    if (workbench_ == nullptr && bytes <= kWorkbenchBytes) {
      workbench_ = workbench();
      if (workbench_ != nullptr) return workbench_;
    }
  }
  const std::size_t wanted = (bytes + sizeof(Header) + kStep - 1) / kStep * kStep;
  const std::size_t row = wanted / kStep - 1;
  void* block = nullptr;
  if (row < kClasses && mine.blocks[row] != nullptr) [[likely]] {
    Spare* const spare = mine.blocks[row];
    mine.blocks[row] = spare->next;
    --mine.counts[row];
    block = spare;
  } else {
    block = take_fresh(wanted);
    if (block == nullptr) return nullptr;
  }
  bytes_in_use_ += wanted;
  return new (block) Header{wanted} + 1;
}

void* Http2Memory::take_zeroed(std::size_t count, std::size_t bytes) noexcept {
  if (bytes != 0 && count > std::numeric_limits<std::uint32_t>::max() / bytes) return nullptr;
  void* const piece = take(count * bytes);
  if (piece != nullptr) std::memset(piece, 0, count * bytes);
  return piece;
}

void* Http2Memory::resize(void* piece, std::size_t bytes) noexcept {
  if (piece == nullptr) return take(bytes);
  const std::size_t held =
      is_workbench(piece) ? kWorkbenchBytes : header_of(piece)->bytes - sizeof(Header);
  if (bytes <= held) return piece;
  void* const bigger = take(bytes);
  if (bigger == nullptr) return nullptr;
  std::memcpy(bigger, piece, held);
  give(piece);
  return bigger;
}

void Http2Memory::give(void* piece) noexcept {
  if (piece == nullptr || is_workbench(piece)) return;
  Header* const block = header_of(piece);
  bytes_in_use_ -= block->bytes;
  const std::size_t row = block->bytes / kStep - 1;
  if (!kKeepsSpares || row >= kClasses || mine.counts[row] == kKept || mine.is_over) {
    std::free(block);
    return;
  }
  mine.blocks[row] = new (block) Spare{mine.blocks[row]};
  ++mine.counts[row];
}

void Http2Memory::leave_workbench() const noexcept {
  constexpr int kRubbish = 0xa5;
  if (!kKeepsSpares && workbench_ != nullptr) std::memset(workbench_, kRubbish, kWorkbenchBytes);
}

}  // namespace limpet
