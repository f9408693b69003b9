// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/buffer.h"

#include <array>
#include <cstdint>
#include <new>

#include "daemon/base/spare_rows.h"

namespace limpet {

namespace {

constexpr std::size_t class_bytes(std::size_t index) {
  return BlockCache::kSmallestBytes << (2 * index);
}

// What one thread keeps of each size: about 1 MiB a class at the most.
constexpr std::array<std::uint32_t, BlockCache::kClasses> kKept = {256, 128, 64, 8, 2, 1};

constinit thread_local SpareRows<BlockCache::kClasses> spares{};
constinit thread_local std::size_t taken_bytes = 0;  // of all blocks, the spare ones among them

// Frees a thread's spares when it ends.
struct Cleaner {
  Cleaner() = default;
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;
  ~Cleaner() {
    spares.end([](void* block) { ::operator delete(block); });
  }
  void stand_by() const noexcept {}
};

[[gnu::noinline]] char* take_fresh(std::size_t bytes) {
  thread_local const Cleaner cleaner;
  cleaner.stand_by();
  char* const block = static_cast<char*>(::operator new(bytes));
  taken_bytes += bytes;
  return block;
}

std::size_t class_of(std::size_t bytes) {
  if (bytes <= BlockCache::kSmallestBytes) [[likely]]
    return 0;
  std::size_t index = 1;
  while (index < BlockCache::kClasses && class_bytes(index) < bytes)
    ++index;
  return index;
}

}  // namespace

[[gnu::always_inline]] inline BlockCache::Block BlockCache::take(std::size_t bytes) {
  const std::size_t index = class_of(bytes);
  if (index < kClasses) bytes = class_bytes(index);
  void* const block = index == kClasses ? nullptr : spares.take(index);
  if (block == nullptr) [[unlikely]]
    return {take_fresh(bytes), bytes};
  return {static_cast<char*>(block), bytes};
}

[[gnu::always_inline]] inline void BlockCache::give(char* block, std::size_t bytes) noexcept {
  const std::size_t index = class_of(bytes);
  if (index == kClasses || spares.is_full(index, kKept[index])) [[unlikely]] {
    taken_bytes -= bytes;
    ::operator delete(block);
    return;
  }
  spares.put(index, block);
}

std::size_t BlockCache::bytes_in_use() noexcept {
  std::size_t spare_bytes = 0;
  for (std::size_t index = 0; index < kClasses; ++index)
    spare_bytes += spares.counts[index] * class_bytes(index);
  return taken_bytes - spare_bytes;
}

void Buffer::give_back() noexcept {
  BlockCache::give(data_, capacity_);
  data_ = nullptr;
  begin_ = end_ = capacity_ = 0;
}

void Buffer::grow(std::size_t bytes) {
  if (data_ != nullptr) [[unlikely]] {
    grow_further(bytes);
    return;
  }
  const BlockCache::Block block = BlockCache::take(bytes);
  data_ = block.data;
  capacity_ = static_cast<std::uint32_t>(block.bytes);
}

void Buffer::grow_further(std::size_t bytes) {
  const std::size_t held = size();
  // Space freed at the front is used before more is taken.
  if (capacity_ >= held + bytes && begin_ >= capacity_ / 2) {
    std::memmove(data_, data_ + begin_, held);
  } else {
    std::size_t wanted = held + bytes;
    if (wanted < std::size_t{capacity_} * 2) wanted = std::size_t{capacity_} * 2;
    const BlockCache::Block bigger = BlockCache::take(wanted);
    if (held > 0) std::memcpy(bigger.data, data_ + begin_, held);
    BlockCache::give(data_, capacity_);
    data_ = bigger.data;
    capacity_ = static_cast<std::uint32_t>(bigger.bytes);
  }
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(held);
}

}  // namespace limpet
