// SPDX-License-Identifier: Apache-2.0
#pragma once
// Crew: the workers as one: start, hand a configuration to all, drain all, see whether all turn.
// What one worker does is proxy/worker.h's business.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/base/line_writer.h"
#include "daemon/control/process.h"
#include "daemon/event/mailbox.h"
#include "daemon/proxy/worker.h"

namespace limpet {

/// How many clients a process with so many descriptors may serve at a time: half of what is left
/// beside those for everything that is neither a client nor a replica, as a client may need one to
/// a replica.
[[nodiscard]] std::uint64_t clients_for(std::uint64_t descriptors) noexcept;

/// How many workers and where.
struct CrewPlan {
  std::size_t workers = 1;
  std::vector<int> cores;             ///< one for each worker, or empty: not pinned
  std::uint64_t connections_max = 0;  ///< of the whole process
};

/// All workers of the process.
/// Thread: main.
class Crew {
 public:
  explicit Crew(Loop& loop) : mailbox_(loop) {}

  /// Starts the threads, which block every signal.
  void start(const CrewPlan& plan);
  /// Hands a configuration to each; `done` is called when all have taken it up.
  void adopt(const std::shared_ptr<const Snapshot>& snapshot,
             std::vector<std::vector<WorkerSocket>> sockets, LineWriter* access_log,
             std::function<void()> done);
  /// Drains each; `done` is called when nothing is left.
  void drain(Instant deadline, std::function<void()> done);
  /// Makes each turn once.
  void ping();
  /// Stops at once.
  void stop() { workers_.clear(); }

  /// The workers that have not turned since the last call, though they were pinged.
  [[nodiscard]] std::vector<std::size_t> take_hung();
  [[nodiscard]] std::size_t size() const noexcept { return workers_.size(); }
  [[nodiscard]] std::vector<control::WorkerFacts> facts() const;
  /// Appends the workers' numbers.
  void list_metrics(std::vector<const MetricSet*>& out) const;

 private:
  [[nodiscard]] std::function<void()> count_down(std::function<void()> done);

  Mailbox mailbox_;  // outlives the workers, who post to it
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::uint64_t> turns_;
};

}  // namespace limpet
