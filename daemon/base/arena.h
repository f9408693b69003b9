// SPDX-License-Identifier: Apache-2.0
#pragma once
// Arena: bump memory that lives as long as one exchange; freed in one go, destructors are not run.
// ArenaPool keeps a worker's arenas warm. Not for anything that outlives the exchange.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace limpet {

/// Memory handed out by moving a pointer, taken back all at once.
class Arena {
 public:
  static constexpr std::size_t kFirstBytes = 3392 - 64;

  Arena() noexcept : next_(first_), end_(first_ + kFirstBytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { release_extra(); }

  /// Memory of `bytes`, aligned for any object.
  [[gnu::always_inline]] [[nodiscard]] void* allocate(std::size_t bytes) {
    const std::size_t rounded = (bytes + 7) & ~std::size_t{7};
    if (static_cast<std::size_t>(end_ - next_) < rounded) [[unlikely]]
      return allocate_extra(rounded);
    return std::exchange(next_, next_ + rounded);
  }
  /// Memory for characters; not aligned, so texts pack tightly when allocated in a row.
  [[gnu::always_inline]] [[nodiscard]] char* allocate_text(std::size_t bytes) {
    return static_cast<char*>(allocate(bytes));
  }

  /// A copy of `text` that lives as long as the arena.
  [[nodiscard]] std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* place = allocate_text(text.size());
    std::memcpy(place, text.data(), text.size());
    return {place, text.size()};
  }
  /// `parts` joined, in the arena.
  template <typename... Parts>
  [[nodiscard]] std::string_view join(const Parts&... parts) {
    const std::size_t total = (std::string_view(parts).size() + ... + 0);
    char* place = allocate_text(total);
    char* at = place;
    const auto put = [&at](std::string_view part) {
      if (part.empty()) return;  // an empty view may point nowhere, which memcpy must not be given
      std::memcpy(at, part.data(), part.size());
      at += part.size();
    };
    (put(parts), ...);
    return {place, total};
  }

  /// An object whose destructor nobody runs.
  template <typename T, typename... Args>
  [[nodiscard]] T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>, "an arena runs no destructors");
    void* const place = allocate(sizeof(T));
    // Without arguments not T(), which may clear the memory before the initialisers fill it.
    if constexpr (sizeof...(Args) == 0 && !std::is_trivially_default_constructible_v<T>) {
      return new (place) T;
    } else {
      return new (place) T(std::forward<Args>(args)...);
    }
  }

  /// Bytes that can be handed out without taking more memory.
  [[nodiscard]] std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - next_); }
  /// Forgets what was handed out from `from` on, in whose block everything since was: the caller
  /// asked for room() before.
  void take_back(char* from) noexcept {
    next_ = from + (-reinterpret_cast<std::uintptr_t>(from) & 7);
  }
  /// The next `bytes` of this block, to be written to before they are taken, or null where it has
  /// fewer. Nothing may be allocated before take_until().
  [[nodiscard]] char* preview(std::size_t bytes) noexcept {
    return room() < bytes ? nullptr : next_;
  }
  /// Takes what was previewed up to `end`, which leaves 8 bytes of it at least.
  void take_until(char* end) noexcept {
    next_ = end + (-reinterpret_cast<std::uintptr_t>(end) & 7);
  }
  /// Forgets everything handed out.
  void reset() noexcept {
    if (extra_ != nullptr) [[unlikely]]
      release_extra();
    next_ = first_;
    end_ = first_ + kFirstBytes;
  }
  /// Bytes beyond the first block; what large heads cost.
  [[nodiscard]] std::size_t extra_bytes() const noexcept { return extra_bytes_; }

 private:
  struct Extra {
    Extra* next;
  };
  void* allocate_extra(std::size_t bytes);
  void release_extra() noexcept;

  char* next_;
  char* end_;
  Extra* extra_ = nullptr;
  std::size_t extra_bytes_ = 0;
  alignas(16) char first_[kFirstBytes];
};

/// A worker's arenas, kept for the next exchange.
/// Thread: its worker.
class ArenaPool {
 public:
  static constexpr std::size_t kKept = 256;

  ArenaPool() = default;
  ArenaPool(const ArenaPool&) = delete;
  ArenaPool& operator=(const ArenaPool&) = delete;
  ~ArenaPool() {
    while (count_ > 0)
      delete spare_[--count_];  // NOLINT(cppcoreguidelines-owning-memory)
  }

  [[nodiscard]] Arena* take() {
    if (count_ == 0) return new Arena;  // NOLINT(cppcoreguidelines-owning-memory)
    return spare_[--count_];
  }
  /// Takes back an arena that take() gave; nothing in it may be used any more.
  void give(Arena* arena) noexcept {
    if (count_ == kKept) [[unlikely]] {
      delete arena;  // NOLINT(cppcoreguidelines-owning-memory)
      return;
    }
    arena->reset();
    spare_[count_++] = arena;
  }

 private:
  std::array<Arena*, kKept> spare_;
  std::size_t count_ = 0;
};

}  // namespace limpet
