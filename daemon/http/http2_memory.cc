// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "daemon/base/spare_rows.h"

namespace limpet {

namespace {

// Stands before each piece.
struct alignas(16) Header {
  std::size_t bytes;  // of the whole block, and a mark where that is not one of malloc's
};
constexpr std::size_t kOfGround = std::size_t{1} << 62;
constexpr std::size_t kOfWorkbench = std::size_t{1} << 63;
constexpr std::size_t kMarks = kOfGround | kOfWorkbench;

constexpr std::size_t kStep = 32;
constexpr std::size_t kClasses = 32;  // blocks of up to 1 KiB; what is larger is rare
constexpr std::uint32_t kKept = 256;

// A frame with all that the library puts around it.
constexpr std::size_t kWorkbenchBytes = 17 * 1024;

}  // namespace

// Connections may outlive their thread, and so does what frames were made in: it goes with the last
// who knows it. One thread at a time counts.
struct Workbench {
  std::size_t users = 0;
  alignas(16) char block[kWorkbenchBytes];
};

namespace {

void leave(Workbench* workbench) noexcept {
  if (workbench != nullptr && --workbench->users == 0) std::free(workbench);
}

constinit thread_local SpareRows<kClasses> spares{};
constinit thread_local Workbench* own_workbench = nullptr;

// Frees a thread's spares when it ends.
struct Cleaner {
  Cleaner() = default;
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;
  ~Cleaner() {
    spares.end(std::free);
    leave(std::exchange(own_workbench, nullptr));
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

// What is smaller is not sparse, and would keep a page that is.
constexpr std::size_t kGroundFromBytes = 512;
// The thread's, with one user more; null where there is no memory.
[[nodiscard]] Workbench* join_workbench() {
  if (own_workbench == nullptr) {
    void* const place = take_fresh(sizeof(Workbench));
    if (place == nullptr) return nullptr;
    own_workbench = new (place) Workbench;
    own_workbench->users = 1;
  }
  ++own_workbench->users;
  return own_workbench;
}

[[nodiscard]] constexpr std::size_t rounded(std::size_t bytes) noexcept {
  return (bytes + sizeof(Header) + kStep - 1) / kStep * kStep;
}

[[nodiscard]] Header* header_of(void* piece) noexcept { return static_cast<Header*>(piece) - 1; }

}  // namespace

Http2Memory::~Http2Memory() { leave(workbench_); }

void* Http2Memory::take(std::size_t bytes) noexcept {
  if (bytes >= apart_from_bytes_) [[unlikely]]
    return take_apart(bytes);
  return take_counted(bytes);
}

[[gnu::always_inline]] inline void* Http2Memory::take_counted(std::size_t bytes) noexcept {
  const std::size_t wanted = rounded(bytes);
  const std::size_t row = wanted / kStep - 1;
  void* block = row < kClasses ? spares.take(row) : nullptr;
  if (block == nullptr) [[unlikely]] {
    block = take_fresh(wanted);
    if (block == nullptr) return nullptr;
  }
  bytes_in_use_ += wanted;
  return new (block) Header{wanted} + 1;
}

void* Http2Memory::take_apart(std::size_t bytes) noexcept {
  if (bytes > std::numeric_limits<std::uint32_t>::max()) return nullptr;
  if (bytes >= kFrameBytes && bytes <= kWorkbenchBytes - sizeof(Header) && workbench_ == nullptr) {
    workbench_ = join_workbench();
    if (workbench_ == nullptr) return nullptr;
    return new (workbench_->block) Header{kWorkbenchBytes | kOfWorkbench} + 1;
  }
  const std::size_t wanted = rounded(bytes);
  const bool is_ground = apart_from_bytes_ == 0 && bytes >= kGroundFromBytes;
  if (!is_ground || wanted > Plot::kBytes - ground_bytes_) return take_counted(bytes);
  void* const block = ground_.data() + ground_bytes_;
  ground_bytes_ += wanted;
  return new (block) Header{wanted | kOfGround} + 1;
}

// The ground is zero where nothing was written.
void* Http2Memory::take_zeroed(std::size_t count, std::size_t bytes) noexcept {
  if (bytes != 0 && count > std::numeric_limits<std::uint32_t>::max() / bytes) return nullptr;
  void* const piece = take(count * bytes);
  if (piece != nullptr && (header_of(piece)->bytes & kOfGround) == 0)
    std::memset(piece, 0, count * bytes);
  return piece;
}

void* Http2Memory::resize(void* piece, std::size_t bytes) noexcept {
  if (piece == nullptr) return take(bytes);
  const std::size_t held = (header_of(piece)->bytes & ~kMarks) - sizeof(Header);
  if (bytes <= held) return piece;
  void* const bigger = take(bytes);
  if (bigger == nullptr) return nullptr;
  std::memcpy(bigger, piece, held);
  give(piece);
  return bigger;
}

void Http2Memory::give(void* piece) noexcept {
  if (piece == nullptr) return;
  Header* const block = header_of(piece);
  const std::size_t row = block->bytes / kStep - 1;
  if (!kKeepsSpares || row >= kClasses || spares.is_full(row, kKept)) [[unlikely]] {
    give_up(piece);
    return;
  }
  bytes_in_use_ -= block->bytes;
  spares.put(row, block);
}

// What has a mark goes with the connection, or the thread.
void Http2Memory::give_up(void* piece) noexcept {
  Header* const block = header_of(piece);
  if ((block->bytes & kMarks) != 0) return;
  bytes_in_use_ -= block->bytes;
  std::free(block);
}

void Http2Memory::leave_workbench() const noexcept {
  constexpr int kRubbish = 0xa5;
  if (kKeepsSpares || workbench_ == nullptr) return;
  std::memset(workbench_->block + sizeof(Header), kRubbish, kWorkbenchBytes - sizeof(Header));
}

}  // namespace limpet
