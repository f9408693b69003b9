// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sealer: makes clients' session ids: token, a dash, the id that the replica made; the token covers
// the original id and, where the pool binds sessions to somebody, who that was. claim_reader.h
// takes them apart again.

#include <string_view>

#include "daemon/module/session.h"
#include "daemon/module/worker_services.h"
#include "modules/affinity/affinity_plan.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

/// What the token of a session covers beside itself: the original id, and the principal of the
/// request where `binding` asks for one.
/// Lifetime: the exchange's. Cost: without a binding, none.
[[nodiscard]] std::string_view bound_text(const Exchange& exchange, const PrincipalRule& binding,
                                          std::string_view original_id);

/// Borrows: everything given. Thread: its worker.
class Sealer final : public SessionSealer {
 public:
  Sealer(const AffinitySettings& settings, TokenBox& box, WorkerServices& worker) noexcept
      : settings_(settings), box_(box), worker_(worker) {}

  /// Seals, and counts the session in the ledger of the exchange's replica.
  [[nodiscard]] std::string_view seal(Exchange& exchange, std::string_view original_id) override;
  /// Counts a new session in the ledger of its replica: done by seal(), and to be done for ids that
  /// stay as they are.
  void count(const Replica& replica) noexcept;
  /// What a token for that replica sealed now would say.
  [[nodiscard]] TokenFacts facts_of(const Replica& replica) const noexcept;

 private:
  const AffinitySettings& settings_;
  TokenBox& box_;
  WorkerServices& worker_;
};

}  // namespace limpet::affinity
