// SPDX-License-Identifier: Apache-2.0
#pragma once
// LineWriter: lines to a file, standard output or syslog, written by a thread of its own, so that a
// full disk or a pipe nobody reads never delays a request: what does not fit the bounded ring is
// dropped and counted. Neighbour: modules/access_log.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace limpet {

/// The writing end of the access log.
/// Thread: append() from any worker; the rest from main.
class LineWriter {
 public:
  static constexpr std::size_t kRingBytes = 1 << 20;  ///< per worker

  /// `path` is "stdout", "stderr", "syslog" or a file. `workers` is how many appenders there are.
  [[nodiscard]] static Result<std::unique_ptr<LineWriter>> open(const std::string& path,
                                                                std::size_t workers);
  virtual ~LineWriter() = default;

  /// Queues one line (with its newline) of worker `worker`; false and a count where the ring is
  /// full. Cost: one copy; no system call but a wake-up when the writer sleeps.
  virtual bool append(std::size_t worker, std::string_view line) noexcept = 0;
  /// Closes and opens the file again, after rotation (SIGUSR1).
  virtual void reopen() = 0;
  /// It will not be used after all: where open() made the file and nothing has been written to it,
  /// it is gone with this object.
  virtual void withdraw() noexcept = 0;
  /// Waits until everything queued is written or could not be, at most `kFlushWait`.
  virtual void flush() = 0;
  [[nodiscard]] virtual std::uint64_t dropped() const noexcept = 0;
};

}  // namespace limpet
