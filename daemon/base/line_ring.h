// SPDX-License-Identifier: Apache-2.0
#pragma once
// LineRing: a bounded ring of bytes between one appender and one reader, without a lock. What does
// not fit is refused, never waited for. It knows nothing of lines but that an append is whole or
// not at all. Neighbour: line_writer.cc.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace limpet {

/// Bytes on their way from one thread to another.
/// Thread: push() and is_over_half() by the appender; held_bytes(), readable() and pop() by the
/// reader.
class LineRing {
 public:
  /// `bytes` is rounded up to a power of two.
  explicit LineRing(std::size_t bytes)
      : mask_(std::bit_ceil(bytes) - 1), bytes_(std::make_unique<char[]>(mask_ + 1)) {}

  /// Appends all of `line`, or nothing and false.
  bool push(std::string_view line) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail + line.size() - head_seen_ > mask_ + 1) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail + line.size() - head_seen_ > mask_ + 1) return false;
    }
    const std::size_t at = tail & mask_;
    const std::size_t first = std::min(line.size(), mask_ + 1 - at);
    std::memcpy(bytes_.get() + at, line.data(), first);
    std::memcpy(bytes_.get(), line.data() + first, line.size() - first);
    // Sequentially consistent together with the writer's state: either it sees the line or we see
    // that it sleeps.
    tail_.store(tail + line.size(), std::memory_order_seq_cst);
    return true;
  }
  [[nodiscard]] bool is_over_half() const noexcept {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed) >
           (mask_ + 1) / 2;
  }

  /// How many bytes wait to be read; whole appends.
  [[nodiscard]] std::size_t held_bytes() const noexcept {
    return tail_.load(std::memory_order_seq_cst) - head_.load(std::memory_order_relaxed);
  }
  /// The oldest bytes in one piece; at the seam of the ring there is a second piece behind them.
  [[nodiscard]] std::string_view readable() const noexcept {
    const std::size_t at = head_.load(std::memory_order_relaxed) & mask_;
    return {bytes_.get() + at, std::min(held_bytes(), mask_ + 1 - at)};
  }
  /// Gives the room of the oldest `bytes` back.
  void pop(std::size_t bytes) noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  }

 private:
  std::size_t mask_;
  std::unique_ptr<char[]> bytes_;
  alignas(64) std::atomic<std::size_t> tail_{0};  // the appender's line of cache
  std::size_t head_seen_ = 0;
  alignas(64) std::atomic<std::size_t> head_{0};  // the reader's
};

}  // namespace limpet
