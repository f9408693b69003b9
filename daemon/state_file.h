// SPDX-License-Identifier: Apache-2.0
#pragma once
// StateFile: what is known of replicas, kept in daemon.state_dir from one process to the next. It
// knows the file and when to write it; what stands in it proxy/saved_replica.h knows. Nothing that
// is wrong with it ever keeps limpet from starting or serving.

#include <string>

#include "daemon/base/clock.h"
#include "daemon/proxy/saved_replica.h"

namespace limpet {

/// Thread: main.
class StateFile {
 public:
  /// A process that is killed loses at most what it saw in so long.
  static constexpr std::chrono::seconds kEvery{5};
  /// A file beyond that is not read.
  static constexpr std::size_t kBytesMax = 64U << 20U;

  /// Reads the file in that directory. What cannot be read is said in the log and is as nothing.
  [[nodiscard]] SavedReplicas open(const std::string& directory);
  /// Whether it is time to write().
  [[nodiscard]] bool is_due(Instant now) const noexcept { return now >= due_; }
  /// Replaces the file as a whole. A failure is said in the log, once until it succeeds again.
  void write(const SavedReplicas& saved, Instant now);

 private:
  std::string path_;
  Instant due_{};
  std::string written_;  ///< all but the first line, which has the time
  WallSeconds written_at_{};
  bool has_failed_ = false;
};

}  // namespace limpet
