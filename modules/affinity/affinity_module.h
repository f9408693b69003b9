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

 private:
  /// One select phase: everything its steps share.
  struct Turn {
    Exchange& exchange;
    Candidates& candidates;
    ExchangeState& state;
  };

  [[nodiscard]] ExchangeState& state_of(Exchange& exchange);
  Verdict place_first(const Turn& turn);
  Verdict follow_token(const Turn& turn);
  Verdict follow_key(const Turn& turn);
  /// What the policy for `cause` says; `replica` is the one meant, or null where there is none.
  Verdict settle(const Turn& turn, Cause cause, const Replica* replica);
  Verdict move(const Turn& turn, Cause cause);
  Verdict end(const Turn& turn, Cause cause, const Policy& policy);
  /// A session whose replica is lost to it, as whoever carries sessions over says. Where it cannot
  /// be carried over it stays on `home`, if one is given.
  Verdict carry(const Turn& turn, Cause cause, const Replica* home);
  Verdict follow_moved(const Turn& turn, const SessionCarrier::Place& place);
  void refuse(const Turn& turn, Cause cause, std::uint16_t status);
  [[nodiscard]] bool wait(const Turn& turn, Cause cause, const Replica& replica, Duration at_most);
  Verdict choose(const Turn& turn, const Replica& replica, Outcome outcome, Cause cause);
  void count(const AffinityFacts& facts) noexcept;
  [[nodiscard]] Counter& counter_for(const AffinityFacts& facts);

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
