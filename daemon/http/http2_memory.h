// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Memory: where a connection's HTTP/2 state lives: what the library allocates, stream by
// stream and frame by frame, comes from spare pieces that the thread keeps by size, and is counted
// for the connection. Bodies are not here, they wait in Buffers (base/buffer.h).

#include <cstddef>

namespace limpet {

/// One connection's allocations.
/// Thread: pieces go back to the spares of the thread that frees them.
class Http2Memory {
 public:
  Http2Memory() = default;
  Http2Memory(const Http2Memory&) = delete;
  Http2Memory& operator=(const Http2Memory&) = delete;

  /// Memory for any object, or null where there is none left.
  [[nodiscard]] void* take(std::size_t bytes) noexcept;
  [[nodiscard]] void* take_zeroed(std::size_t count, std::size_t bytes) noexcept;
  /// A piece of `bytes` that begins with what `piece` held; `piece` may be null.
  [[nodiscard]] void* resize(void* piece, std::size_t bytes) noexcept;
  void give(void* piece) noexcept;

  [[nodiscard]] std::size_t bytes_in_use() const noexcept { return bytes_in_use_; }

 private:
  std::size_t bytes_in_use_ = 0;
};

}  // namespace limpet
