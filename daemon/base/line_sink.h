// SPDX-License-Identifier: Apache-2.0
#pragma once
// LineSink: where the thread of a LineWriter puts its bytes: a file, a standard stream, or syslog.
// It may wait, but only as long as `give_up` allows. Not for workers. Neighbours: line_writer.cc,
// line_ring.h.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace limpet {

/// The end of the line.
/// Thread: the writer's.
class LineSink {
 public:
  /// `path` as in LineWriter::open(). Once the monotonic clock passes `give_up`, nothing waits any
  /// more. Borrows: `give_up`, which outlives the sink.
  [[nodiscard]] static Result<std::unique_ptr<LineSink>> open(
      const std::string& path, const std::atomic<std::int64_t>& give_up_ns);
  virtual ~LineSink() = default;

  /// Writes all of `bytes`, which need not end with a line.
  /// Errors: gives back how many lines were lost.
  [[nodiscard]] virtual std::uint64_t write(std::string_view bytes) = 0;
  /// Opens a file anew by its name; keeps the old one where that fails.
  virtual void reopen() {}
  /// Removes the file that open() made, where it is still empty and still at its path.
  virtual void withdraw() {}
};

}  // namespace limpet
