// SPDX-License-Identifier: Apache-2.0
#pragma once
// Supervisor: the process around the workers: start order, signals, reload, drain. It decides when;
// what a configuration is configurations.h knows, what workers do proxy/worker.h, what operators
// see control/. supervisor.cc is its life, reload.cc what changes during it.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/line_writer.h"
#include "daemon/configurations.h"
#include "daemon/control/admin.h"
#include "daemon/control/control.h"
#include "daemon/control/process.h"
#include "daemon/crew.h"
#include "daemon/discovery_file.h"
#include "daemon/event/loop.h"
#include "daemon/event/signal.h"
#include "daemon/event/timer.h"
#include "daemon/listeners.h"
#include "daemon/metrics/counter.h"
#include "daemon/proxy/prober.h"
#include "daemon/state_file.h"

namespace limpet {

/// What main hands over.
struct SupervisorSetup {
  ConfigOrigin origin;
  std::span<const ModuleKind> kinds;
  std::function<void()> on_ready;  ///< once, when the first configuration is in force; may be empty
};

/// The running daemon.
///
///   kStarting --workers have the configuration, replicas are proven--> kReady --TERM--> kDraining
///   --> end
///                                                     |    ^
///                                                     +HUP-+
///
/// Thread: main.
class Supervisor final : public control::Process, private Timer::Owner {
 public:
  explicit Supervisor(SupervisorSetup setup);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor() override;

  /// Runs until a signal ends it. The exit status: 0, or 1 where it could not start and has said
  /// why.
  [[nodiscard]] int run();

  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const override;
  [[nodiscard]] control::ProcessFacts facts() const override;
  [[nodiscard]] std::vector<const MetricSet*> metric_sets() const override;
  [[nodiscard]] Instant now() const override { return monotonic_now(); }
  [[nodiscard]] WallSeconds wall_now() const override { return loop_.wall_now(); }
  void reload(std::function<void(const control::Outcome&)> done) override;
  void set_affinity(const std::string& pool, RuntimeWishes::Affinity wish,
                    std::function<void(const control::Outcome&)> done) override;
  [[nodiscard]] std::string affinity_toml(const std::string& pool,
                                          RuntimeWishes::Affinity wish) const override;
  [[nodiscard]] std::string dump(std::string_view path) const override;
  void wake_workers() override { crew_.ping(); }

 private:
  using Stage = control::ProcessFacts::Stage;
  using Done = std::function<void(const control::Outcome&)>;

  // supervisor.cc: the life
  [[nodiscard]] bool begin();
  void prepare(Candidate& first);
  void watch_signals();
  void open_sockets(Config& config);
  void open_admin(Config& config);
  void open_control(Config& config);
  [[nodiscard]] bool become_user(Config& config);
  void start_crew(const Model& model);
  void look_for_proof();
  void become_ready();
  void begin_drain();
  void end();
  void on_timer(Timer& timer) override;
  void tick();
  void tend_watchdog();
  [[nodiscard]] std::string status_line() const;

  // reload.cc: what changes
  void open_access_log(Candidate& candidate);
  void retire_access_logs(const LineWriter* newest, const LineWriter* in_use);
  void take_up(Candidate candidate, std::function<void()> adopted);
  void hand_out(std::function<void()> adopted);
  void refuse(const Candidate& candidate, const Done& done);
  void report_reload(const std::string& change, const Done& done);
  [[nodiscard]] bool rebuild(const Discovered& lists, std::string_view why,
                             std::function<void()> adopted);
  void on_lists_changed();

  SupervisorSetup setup_;
  Loop loop_;
  MetricSet metrics_;
  std::size_t workers_ = 1;
  Configurations configurations_;
  StateFile state_file_;
  std::vector<std::unique_ptr<LineWriter>>
      access_logs_;                   ///< that in use, and those workers may hold
  LineWriter* access_log_ = nullptr;  ///< in use; null: off
  std::string access_log_path_;
  std::uint64_t lines_dropped_ = 0;  ///< by those that are retired
  std::unique_ptr<Listeners> listeners_;
  Crew crew_;
  Prober prober_;
  DiscoveryFiles discovery_;
  control::Admin admin_;
  control::Control control_;
  std::vector<std::unique_ptr<SignalWatch>> signals_;
  Timer second_;
  Timer drain_end_;
  Duration beat_ = std::chrono::seconds(1);
  Timer proof_end_;
  bool has_pinged_ = false;
  bool is_adopted_ = false;  ///< the first configuration, by all workers
  bool can_rebuild_ = true;  ///< false after a rebuild failed, until the next reload

  Stage stage_ = Stage::kStarting;
  WallSeconds started_at_{};
  WallSeconds adopted_at_{};
  WallSeconds reloaded_at_{};
  bool is_last_reload_good_ = true;
  std::uint64_t reloads_failed_ = 0;
  std::string admin_where_;
};

}  // namespace limpet
