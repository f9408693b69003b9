// SPDX-License-Identifier: Apache-2.0
#pragma once
// WorkerServices: what a worker lends to its modules: time, random numbers, counters, the access
// log's writer. No sockets, no loop.

#include <cstddef>
#include <cstdint>

#include "daemon/base/clock.h"
#include "daemon/base/line_writer.h"
#include "daemon/base/random.h"
#include "daemon/metrics/counter.h"
#include "daemon/module/descriptor_watch.h"
#include "daemon/module/pool.h"
#include "daemon/module/replica_call.h"

namespace limpet {

/// Lent to every module at start; outlives it.
/// Thread: its worker.
class WorkerServices {
 public:
  WorkerServices(std::size_t worker, MetricSet& metrics, LineWriter* access_log)
      : random(Random::from_kernel()),
        worker_(worker),
        metrics_(metrics),
        access_log_(access_log) {}

  /// The instant at which this turn of the loop began.
  [[nodiscard]] Instant now() const noexcept { return now_; }
  /// The wall clock of this turn, in whole seconds.
  [[nodiscard]] WallSeconds wall_now() const noexcept { return wall_now_; }
  /// Called by the loop at each turn, and by tests.
  void set_now(Instant now, WallSeconds wall) noexcept {
    now_ = now;
    wall_now_ = wall;
  }
  [[nodiscard]] std::size_t worker() const noexcept { return worker_; }
  [[nodiscard]] MetricSet& metrics() const noexcept { return metrics_; }
  /// Null where the access log is off.
  [[nodiscard]] LineWriter* access_log() const noexcept { return access_log_; }
  void set_access_log(LineWriter* writer) noexcept { access_log_ = writer; }

  /// For requests of a module's own; null in tests.
  [[nodiscard]] ReplicaCalls* calls() const noexcept { return calls_; }
  void set_calls(ReplicaCalls* calls) noexcept { calls_ = calls; }
  /// For connections of a module's own; null in tests.
  [[nodiscard]] DescriptorWatches* watches() const noexcept { return watches_; }
  void set_watches(DescriptorWatches* watches) noexcept { watches_ = watches; }

  Random random;  ///< for choices, never for keys

 private:
  std::size_t worker_;
  MetricSet& metrics_;
  LineWriter* access_log_;
  ReplicaCalls* calls_ = nullptr;
  DescriptorWatches* watches_ = nullptr;
  Instant now_{};
  WallSeconds wall_now_{};
};

/// What one module instance gets at start: the worker's services and its place.
struct ModuleServices {
  WorkerServices& worker;
  const PoolFacts*
      pool;  ///< the pool whose chain it is in; null in the chain for exchanges without a pool
  std::size_t slot;  ///< its place in Exchange::notes
};

}  // namespace limpet
