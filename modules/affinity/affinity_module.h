// SPDX-License-Identifier: Apache-2.0
#pragma once
// AffinityModule: affinity at work in one worker. Select reads the claim of a request
// (claim_reader.h), judges it and prefers the replica or applies a policy; response sets cookies
// and wraps session ids (response_writer.h); done counts. Balance places what affinity leaves open.

#include <array>
#include <cstdint>

#include "daemon/module/module.h"
#include "modules/affinity/affinity_plan.h"
#include "modules/affinity/claim_reader.h"
#include "modules/affinity/exchange_state.h"
#include "modules/affinity/replica_table.h"
#include "modules/affinity/response_writer.h"
#include "modules/affinity/session_sealer.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

/// Borrows: the plan and the services. Thread: its worker.
class AffinityModule final : public Module {
 public:
  AffinityModule(const AffinityPlan& plan, const ModuleServices& services);

  Verdict on_select(Exchange& exchange, Candidates& candidates) override;
  Verdict on_response(Exchange& exchange) override;
  void on_done(const Exchange& exchange) noexcept override;
  void on_left(const Exchange& exchange) noexcept override;

 private:
  /// One select phase: what its steps share; passed in registers.
  struct Turn {
    Candidates& candidates;
    ExchangeState& state;

    [[nodiscard]] Exchange& exchange() const noexcept { return candidates.exchange(); }
  };

  [[nodiscard]] ExchangeState& state_of(Exchange& exchange);
  [[gnu::noinline]] Verdict place_first(Turn turn);
  Verdict follow_token(Turn turn);
  [[gnu::noinline]] Verdict follow_key(Turn turn);
  /// What the policy for `cause` says; `replica` is the one meant, or null where there is none.
  [[gnu::noinline]] Verdict settle(Turn turn, Cause cause, const Replica* replica);
  Verdict move(Turn turn, Cause cause);
  Verdict end(Turn turn, Cause cause, const Policy& policy);
  /// A session whose replica is lost to it, as whoever carries sessions over says. Where it cannot
  /// be carried over it stays on `home`, if one is given.
  [[gnu::noinline]] Verdict carry(Turn turn, Cause cause, const Replica* home);
  Verdict follow_moved(Turn turn, const SessionCarrier::Place& place);
  [[gnu::noinline]] void refuse(Turn turn, Cause cause, std::uint16_t status);
  [[nodiscard]] bool wait(Turn turn, Cause cause, const Replica& replica, Duration at_most);
  Verdict choose(Turn turn, const Replica& replica, Outcome outcome, Cause cause);
  void count(const AffinityFacts& facts) noexcept;
  [[gnu::noinline]] [[nodiscard]] Counter& counter_for(const AffinityFacts& facts);

  const AffinityPlan& plan_;
  const AffinitySettings& settings_;
  WorkerServices& worker_;
  std::size_t slot_;
  ReplicaTable table_;
  TokenBox box_;
  Sealer sealer_;
  ClaimReader reader_;
  ResponseWriter writer_;
  std::array<std::array<Counter*, kCauses>, kOutcomes> counters_{};
};

}  // namespace limpet::affinity
