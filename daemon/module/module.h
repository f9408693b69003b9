// SPDX-License-Identifier: Apache-2.0
#pragma once
// The module interface: how everything that decides is plugged into the relay. A module has two
// halves. The plan is made from its table of limpet.toml at start and reload, checked there and
// then, immutable, shared by all workers. The module is made from the plan by each worker and is
// that thread's alone, so it may keep plain state. A pool's chain asks its modules phase by phase,
// in the chain's order; a phase that a plan does not want costs nothing. No phase waits: work that
// waits happens outside the exchange. Interface history: 1 first.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/config/reader.h"
#include "daemon/module/candidates.h"
#include "daemon/module/exchange.h"
#include "daemon/module/explain.h"
#include "daemon/module/failure.h"
#include "daemon/module/probe.h"
#include "daemon/module/worker_services.h"

namespace limpet {

/// The moments of an exchange at which modules are asked, in the order in which they happen.
///
///   request ──► select ──► (attempt) ──► response ──► done
///      │          ▲ ▲          │             │
///      │   waiting┘ └──failure◄┘             │
///      └──────────── own answer ─────────────┘
enum class Phase : std::uint8_t {
  kRequest,  ///< the head is complete. May change it. Settled with `answer` set: limpet answers by
             ///< itself.
  kSelect,  ///< asked of the chain until one settles: chosen, wait, or an answer. Asked again after
            ///< a wait and after a failure.
  kFailure,  ///< an attempt failed. Settled: try again (select is asked anew; tried replicas are no
             ///< longer eligible).
  kResponse,  ///< the response head, the replica's or limpet's own, before it is written. May
              ///< change it. The verdict is disregarded.
  kDone,      ///< always, exactly once, for every exchange that had its request phase.
};
inline constexpr std::size_t kPhases = 5;

/// A module's answer: ask the next module, or this phase is settled and the rest are skipped.
enum class Verdict : std::uint8_t { kNext, kSettled };

/// One module at work in one worker. Never shared between threads; dies with its generation.
class Module {
 public:
  virtual ~Module() = default;
  virtual Verdict on_request(Exchange&) { return Verdict::kNext; }
  virtual Verdict on_select(Exchange&, Candidates&) { return Verdict::kNext; }
  virtual Verdict on_failure(Exchange&, const Failure&) { return Verdict::kNext; }
  virtual Verdict on_response(Exchange&) { return Verdict::kNext; }
  virtual void on_done(const Exchange&) noexcept {}
  /// In place of on_done(): the exchange goes on in the chain of a newer configuration, as if it
  /// had come just now, and is done there. What is held for it is given back, and nothing is
  /// counted.
  virtual void on_left(const Exchange& exchange) noexcept { on_done(exchange); }
  /// About once a second, where the plan asks for it: work that belongs to no exchange.
  virtual void on_tick(Instant) {}
};

/// A module's checked settings. Immutable, shared by all workers, made once per reload.
class ModulePlan {
 public:
  virtual ~ModulePlan() = default;
  [[nodiscard]] virtual bool wants(Phase) const noexcept = 0;
  /// The module for one worker.
  [[nodiscard]] virtual std::unique_ptr<Module> start(const ModuleServices&) const = 0;
  /// Whether its modules want on_tick().
  [[nodiscard]] virtual bool wants_ticks() const noexcept { return false; }
  /// The limits that the pool's candidates are judged by; asked of the first plan in the chain that
  /// has some.
  [[nodiscard]] virtual std::optional<ReplicaLimits> limits() const noexcept {
    return std::nullopt;
  }
  /// Percent of replicas that must be up, below which health is disregarded; 0 = this plan says
  /// nothing.
  [[nodiscard]] virtual std::uint32_t panic_threshold_percent() const noexcept { return 0; }
  /// How many attempts one exchange may take in all; 0 = this plan says nothing (then 1).
  [[nodiscard]] virtual std::uint32_t attempts_max() const noexcept { return 0; }
  /// Whether a response of this status is worth a failure phase (another try) before it is relayed.
  [[nodiscard]] virtual bool retries_status(std::uint16_t) const noexcept { return false; }
  /// The state a replica starts in when this daemon first sees it; asked of the first plan that
  /// says something.
  [[nodiscard]] virtual std::optional<Health> initial_health() const noexcept {
    return std::nullopt;
  }
  /// The judge for one replica, or null when this plan does not probe. Thread: main.
  [[nodiscard]] virtual std::unique_ptr<ProbeJudge> judge(const PoolFacts&, const Replica&) const {
    return nullptr;
  }
  /// Answers a question about where something leads, when it is of this plan's kind. Thread: main.
  virtual void explain(const ExplainQuestion&, const PoolFacts&, ExplainAnswer&) const {}
};

/// Process-wide things a plan may need while it is read.
struct PlanContext {
  const PoolFacts* pool;  ///< null for the chain without a pool
  ConfigReader root;      ///< the whole file, for global tables such as [keys] and [access_log]
  std::string state_dir;  ///< daemon.state_dir
  bool wants_affinity =
      false;  ///< an operator switched affinity on at run time, whatever the file says
  bool is_in_chain = true;  ///< false: the table is only checked, and the plan thrown away; nothing
                            ///< is made, opened or registered for it
};

/// One row of modules/registry.cc: the name used in limpet.toml and how to read its table.
struct ModuleKind {
  std::string_view name;
  /// Reads the module's table (the pool's sub-table of this name) into a plan. Mistakes are
  /// reported through the reader, which knows their places; then the plan returned is thrown away.
  /// Null only after a reported mistake.
  std::unique_ptr<const ModulePlan> (*read)(ConfigReader settings, const PlanContext& context);
};

}  // namespace limpet
