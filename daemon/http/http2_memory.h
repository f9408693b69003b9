// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Memory: where a connection's HTTP/2 state lives: what the library allocates, stream by
// stream and frame by frame, comes from spare pieces that the thread keeps by size, and is counted
// for the connection; the piece that frames are made in is one for all connections of a thread, and
// what a connection begins with can be put to rest. Bodies are not here, they wait in Buffers
// (base/buffer.h).

#include <cstddef>

#include "daemon/base/plot.h"

namespace limpet {

struct Workbench;

/// One connection's allocations.
/// Thread: its worker's; pieces go back to the spares of the thread that frees them, which may be
/// another once the worker's has ended.
///
/// The first piece as large as a frame is the workbench: what frames are made in, and of no meaning
/// once they are made (Http2Session::make_frames). All connections of a thread have the same, so
/// that one which is idle holds none.
///
/// Pieces taken between lay_ground() and settle() are the groundwork, which is large, sparse and
/// stays until the end: it can rest. Nothing of it may be looked at then.
class Http2Memory {
 public:
  Http2Memory() = default;
  Http2Memory(const Http2Memory&) = delete;
  Http2Memory& operator=(const Http2Memory&) = delete;
  ~Http2Memory();

  /// Memory for any object, or null where there is none left.
  [[nodiscard]] void* take(std::size_t bytes) noexcept;
  [[nodiscard]] void* take_zeroed(std::size_t count, std::size_t bytes) noexcept;
  /// A piece of `bytes` that begins with what `piece` held; `piece` may be null.
  [[nodiscard]] void* resize(void* piece, std::size_t bytes) noexcept;
  void give(void* piece) noexcept;
  /// Nothing is in the making: where faults are looked for, what the workbench holds is destroyed.
  void leave_workbench() const noexcept;

  void lay_ground() noexcept {
    if (ground_.lay_out()) apart_from_bytes_ = 0;
  }
  void settle() noexcept { apart_from_bytes_ = kFrameBytes; }
  void rest() noexcept { ground_.rest(); }
  void wake() noexcept { ground_.wake(); }
  [[nodiscard]] bool is_resting() const noexcept { return ground_.is_resting(); }

  /// But for workbench and groundwork, which the peer has no hand in.
  [[nodiscard]] std::size_t bytes_in_use() const noexcept { return bytes_in_use_; }
  [[nodiscard]] std::size_t ground_bytes() const noexcept { return ground_bytes_; }

 private:
  static constexpr std::size_t kFrameBytes = 16 * 1024;  ///< RFC 9113 section 4.2

  [[nodiscard]] void* take_counted(std::size_t bytes) noexcept;
  [[nodiscard]] void* take_apart(std::size_t bytes) noexcept;
  [[gnu::noinline]] void give_up(void* piece) noexcept;

  std::size_t bytes_in_use_ = 0;
  std::size_t apart_from_bytes_ = kFrameBytes;  ///< pieces of so many are not like all others
  std::size_t ground_bytes_ = 0;                ///< used of it
  Plot ground_;
  Workbench* workbench_ = nullptr;
};

}  // namespace limpet
