// SPDX-License-Identifier: Apache-2.0
#pragma once
// Chain: the modules of one pool at work in one worker, with one array a phase, so that a phase
// nobody wants costs one comparison.

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/module/module.h"

namespace limpet {

/// Modules in the order of the configuration.
/// Owns: the modules. Thread: its worker.
class Chain {
 public:
  /// Starts `plan` and puts it behind the others.
  void add(const ModulePlan& plan, WorkerServices& worker, const PoolFacts* pool) {
    modules_.push_back(plan.start({worker, pool, modules_.size()}));
    Module* module = modules_.back().get();
    if (plan.wants_ticks()) ticking_.push_back(module);
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
      if (plan.wants(static_cast<Phase>(phase))) by_phase_[phase].push_back(module);
    }
  }

  [[nodiscard]] Verdict ask_request(Exchange& exchange) const {
    return ask(Phase::kRequest, [&](Module& m) { return m.on_request(exchange); });
  }
  [[nodiscard]] Verdict ask_select(Exchange& exchange, Candidates& candidates) const {
    return ask(Phase::kSelect, [&](Module& m) { return m.on_select(exchange, candidates); });
  }
  [[nodiscard]] Verdict ask_failure(Exchange& exchange, const Failure& failure) const {
    return ask(Phase::kFailure, [&](Module& m) { return m.on_failure(exchange, failure); });
  }
  /// In the opposite order: who changed the request last sees the response first.
  void tell_response(Exchange& exchange) const {
    const auto& row = by_phase_[static_cast<std::size_t>(Phase::kResponse)];
    for (auto at = row.rbegin(); at != row.rend(); ++at)
      static_cast<void>((*at)->on_response(exchange));
  }
  void tell_done(const Exchange& exchange) const noexcept {
    const auto& row = by_phase_[static_cast<std::size_t>(Phase::kDone)];
    // The end is asked once: no module changes the row.
    for (Module *const *at = row.data(), *const *end = at + row.size(); at != end; ++at)
      (*at)->on_done(exchange);
  }
  /// In place of tell_done().
  void tell_left(const Exchange& exchange) const noexcept {
    for (Module* module : by_phase_[static_cast<std::size_t>(Phase::kDone)])
      module->on_left(exchange);
  }
  void tick(Instant now) const {
    for (Module* module : ticking_)
      module->on_tick(now);
  }

 private:
  template <typename Asking>
  [[nodiscard]] Verdict ask(Phase phase, const Asking& asking) const {
    for (Module* module : by_phase_[static_cast<std::size_t>(phase)]) {
      if (asking(*module) == Verdict::kSettled) return Verdict::kSettled;
    }
    return Verdict::kNext;
  }

  std::vector<std::unique_ptr<Module>> modules_;
  std::array<std::vector<Module*>, kPhases> by_phase_;
  std::vector<Module*> ticking_;
};

}  // namespace limpet
