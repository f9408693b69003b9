// SPDX-License-Identifier: Apache-2.0
#pragma once
// Worker: one thread with everything it touches: loop, listeners, connections, caches, the present
// generation. It shares nothing but snapshots, vitals and counters. The supervisor talks to it
// through the methods below, which post letters.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/fd.h"
#include "daemon/base/line_writer.h"
#include "daemon/metrics/counter.h"
#include "daemon/proxy/client_census.h"
#include "daemon/proxy/snapshot.h"

namespace limpet {

class WorkerRoom;

/// A listening socket for one worker.
struct WorkerSocket {
  std::string bind;  ///< BindModel::text, its key: a socket whose key the worker has already is not
                     ///< replaced
  std::string listener;  ///< ListenerPlan::name
  Fd fd;                 ///< closed where the worker keeps the one it has
};

/// A new configuration for one worker.
struct Adoption {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<WorkerSocket> sockets;  ///< all that the snapshot wants; those that the worker has
                                      ///< and that are not here are closed
  LineWriter* access_log = nullptr;   ///< outlives the worker
};

struct WorkerSetup {
  std::size_t index = 0;
  std::size_t count = 1;
  int cpu = -1;                       ///< pinned to, or -1
  std::uint64_t connections_max = 0;  ///< this worker's share of limits.connections
  std::shared_ptr<ClientCensus>
      census;  ///< shared by all workers; null: limits.connections_per_client is not watched
};

/// One worker.
/// Thread: main calls everything here.
class Worker {
 public:
  explicit Worker(const WorkerSetup& setup);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();  ///< stops at once and joins

  /// Starts the thread.
  void start();
  /// Takes a configuration up; running exchanges finish on their own. `on_adopted` runs in the
  /// worker's thread.
  void adopt(Adoption adoption, std::function<void()> on_adopted);
  /// Accepts nothing more, closes idle connections, lets running exchanges finish until `deadline`,
  /// then cuts them. `on_drained` runs in the worker's thread when nothing is left.
  void drain(Instant deadline, std::function<void()> on_drained);
  /// Numbers of this worker; lives as long as it.
  [[nodiscard]] MetricSet& metrics() noexcept { return metrics_; }
  /// Turns of its loop so far; a worker that is asked with ping() and does not turn hangs.
  [[nodiscard]] std::uint64_t turns() const noexcept;
  void ping();
  /// Client connections open now.
  [[nodiscard]] std::uint64_t connections() const noexcept {
    return connections_.load(std::memory_order_relaxed);
  }
  /// Share of time spent working since asked last, 0 to 1.
  [[nodiscard]] double busy_ratio() const noexcept {
    return busy_ratio_.load(std::memory_order_relaxed);
  }

 private:
  friend class WorkerRoom;
  WorkerSetup setup_;
  MetricSet metrics_;
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<double> busy_ratio_{0};
  std::unique_ptr<WorkerRoom> room_;
  std::thread thread_;
};

}  // namespace limpet
