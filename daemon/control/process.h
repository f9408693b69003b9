// SPDX-License-Identifier: Apache-2.0
#pragma once
// Process: what admin and control may see of the running daemon and ask of it. The supervisor is
// one; tests make their own. Views (views.h) and gauges (gauges.h) are computed from it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/metrics/counter.h"
#include "daemon/proxy/snapshot.h"

namespace limpet::control {

/// One worker at this moment.
struct WorkerFacts {
  std::uint64_t connections = 0;
  double busy_ratio = 0;  ///< 0 to 1
};

/// The process at this moment.
struct ProcessFacts {
  enum class Stage : std::uint8_t { kStarting, kReady, kDraining };
  Stage stage = Stage::kStarting;
  std::string config_file;
  WallSeconds started_at{};
  WallSeconds adopted_at{};   ///< when the present configuration came into force
  WallSeconds reloaded_at{};  ///< when a reload was tried last; the start counts
  bool is_last_reload_good = true;
  std::uint64_t reloads_failed = 0;
  std::uint64_t access_log_dropped = 0;  ///< lines that found the ring full
  std::vector<WorkerFacts> workers;
};

/// How a change ended.
struct Outcome {
  bool is_good = false;
  std::uint64_t revision = 0;  ///< in force now
  std::string text;            ///< what changed, or every mistake; ends without a newline
};

/// The daemon as its control rooms see it.
/// Thread: main.
class Process {
 public:
  virtual ~Process() = default;

  /// Null before the first configuration is in force.
  [[nodiscard]] virtual std::shared_ptr<const Snapshot> snapshot() const = 0;
  [[nodiscard]] virtual ProcessFacts facts() const = 0;
  /// The numbers of every worker and of the main thread.
  [[nodiscard]] virtual std::vector<const MetricSet*> metric_sets() const = 0;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual WallSeconds wall_now() const = 0;

  /// Reads the file again and puts it in force; `done` is called once, when every worker has taken
  /// it up or when it was refused.
  virtual void reload(std::function<void(const Outcome&)> done) = 0;
  /// Switches a pool's affinity over what the file says, until the next reload of the file.
  virtual void set_affinity(const std::string& pool, RuntimeWishes::Affinity wish,
                            std::function<void(const Outcome&)> done) = 0;
  /// The TOML that makes such a switch last.
  [[nodiscard]] virtual std::string affinity_toml(const std::string& pool,
                                                  RuntimeWishes::Affinity wish) const = 0;
  /// The effective configuration, or the part at a path such as "pool.web"; "" where nothing is.
  [[nodiscard]] virtual std::string dump(std::string_view path) const = 0;
  /// Called after vitals were changed by hand: workers look again at requests that wait.
  virtual void wake_workers() = 0;
};

}  // namespace limpet::control
