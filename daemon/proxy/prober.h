// SPDX-License-Identifier: Apache-2.0
#pragma once
// Prober: sends health probes for the plans that ask, one prober a replica for the whole process,
// on the main thread's loop. It does input and output only: the judge (module/probe.h) decides what
// a result means. Probes of replicas that a reload kept go on undisturbed.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/event/loop.h"
#include "daemon/metrics/counter.h"
#include "daemon/proxy/snapshot.h"

namespace limpet {

class Probe;

/// All probes of this process.
/// Thread: main.
class Prober {
 public:
  Prober(Loop& loop, MetricSet& metrics);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  ~Prober();

  /// Probes what the snapshot wants probed; replicas that are probed already keep their rhythm and
  /// their judge's counts where pool, id, address and settings are the same.
  void adopt(const std::shared_ptr<const Snapshot>& snapshot);
  /// Called whenever a replica's health has changed, so that waiting requests may be woken.
  void on_change(std::function<void()> told) { told_ = std::move(told); }

 private:
  Loop& loop_;
  MetricSet& metrics_;
  std::function<void()> told_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Probe>> probes_;
};

}  // namespace limpet
