// SPDX-License-Identifier: Apache-2.0
#pragma once
// Buffer: bytes waiting to be sent or parsed, in one piece. It holds memory only while it holds
// bytes: an idle connection costs two words. Its memory comes from a cache per thread, so that the
// block used last, warm, is used next. Bodies normally never come here: they go from one socket's
// read straight to the other's write (net/transport.h).

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace limpet {

/// A thread's spare memory blocks by size class; the only source of Buffer memory.
/// Thread: each has its own.
class BlockCache {
 public:
  static constexpr std::size_t kClasses = 6;
  static constexpr std::size_t kSmallestBytes =
      1024;  ///< then four times as much each: 1 KiB … 1 MiB

  /// Bytes of all blocks that are out, on this thread.
  [[nodiscard]] static std::size_t bytes_in_use() noexcept;

 private:
  friend class Buffer;
  struct Block {
    char* data;
    std::size_t bytes;
  };
  /// A block of at least `bytes`, with its true size.
  [[nodiscard]] static Block take(std::size_t bytes);
  static void give(char* block, std::size_t bytes) noexcept;
};

/// A queue of bytes in one piece.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  [[nodiscard]] bool is_empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::string_view view() const noexcept { return {data_ + begin_, size()}; }

  /// Room for `bytes` more, to be written to and then committed.
  [[gnu::always_inline]] [[nodiscard]] char* reserve(std::size_t bytes) {
    if (capacity_ - end_ < bytes) grow(bytes);
    return data_ + end_;
  }
  void commit(std::size_t bytes) noexcept { end_ += static_cast<std::uint32_t>(bytes); }
  [[gnu::always_inline]] void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  /// Takes `bytes` off the front; an emptied buffer gives its memory back.
  void consume(std::size_t bytes) noexcept {
    begin_ += static_cast<std::uint32_t>(bytes);
    if (begin_ == end_) release();
  }
  void clear() noexcept { release(); }

 private:
  void grow(std::size_t bytes);
  [[gnu::noinline]] void grow_further(std::size_t bytes);
  void release() noexcept {
    if (data_ != nullptr) give_back();
  }
  void give_back() noexcept;

  char* data_ = nullptr;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace limpet
