// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/buffer.h"

#include <array>
#include <new>
#include <vector>

namespace limpet {

namespace {

constexpr std::size_t class_bytes(std::size_t index) {
  return BlockCache::kSmallestBytes << (2 * index);
}

// What one thread keeps of each size: about 1 MiB a class at the most.
constexpr std::array<std::size_t, BlockCache::kClasses> kKept = {256, 128, 64, 8, 2, 1};

struct Spares {
  Spares() {
    for (std::size_t i = 0; i < kKept.size(); ++i) blocks[i].reserve(kKept[i]);
  }
  Spares(const Spares&) = delete;
  Spares& operator=(const Spares&) = delete;
  ~Spares() {
    for (auto& row : blocks) {
      for (char* block : row) ::operator delete(block);
    }
  }
  std::array<std::vector<char*>, BlockCache::kClasses> blocks;
  std::size_t in_use = 0;
};

Spares& spares() {
  thread_local Spares mine;
  return mine;
}

std::size_t class_of(std::size_t bytes) {
  std::size_t index = 0;
  while (index < BlockCache::kClasses && class_bytes(index) < bytes) ++index;
  return index;
}

}  // namespace

char* BlockCache::take(std::size_t& bytes) {
  Spares& mine = spares();
  const std::size_t index = class_of(bytes);
  if (index < kClasses) bytes = class_bytes(index);
  mine.in_use += bytes;
  if (index < kClasses && !mine.blocks[index].empty()) {
    char* block = mine.blocks[index].back();
    mine.blocks[index].pop_back();
    return block;
  }
  return static_cast<char*>(::operator new(bytes));
}

void BlockCache::give(char* block, std::size_t bytes) noexcept {
  Spares& mine = spares();
  mine.in_use -= bytes;
  const std::size_t index = class_of(bytes);
  if (index < kClasses && mine.blocks[index].size() < kKept[index]) {
    mine.blocks[index].push_back(block);
    return;
  }
  ::operator delete(block);
}

std::size_t BlockCache::bytes_in_use() noexcept { return spares().in_use; }

void Buffer::grow(std::size_t bytes) {
  const std::size_t held = size();
  // Space freed at the front is used before more is taken.
  if (data_ != nullptr && capacity_ >= held + bytes && begin_ >= capacity_ / 2) {
    std::memmove(data_, data_ + begin_, held);
  } else {
    std::size_t wanted = held + bytes;
    if (data_ != nullptr && wanted < std::size_t{capacity_} * 2) wanted = std::size_t{capacity_} * 2;
    char* bigger = BlockCache::take(wanted);
    if (held > 0) std::memcpy(bigger, data_ + begin_, held);
    if (data_ != nullptr) BlockCache::give(data_, capacity_);
    data_ = bigger;
    capacity_ = static_cast<std::uint32_t>(wanted);
  }
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(held);
}

}  // namespace limpet
