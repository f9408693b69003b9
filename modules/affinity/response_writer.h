// SPDX-License-Identifier: Apache-2.0
#pragma once
// ResponseWriter: affinity's part of a response: obeys and takes out what the app says
// (Limpet-Affinity, Limpet-Incarnation, Arr-Disable-Session-Affinity), wraps session ids, sets or
// deletes the cookie, keeps the session ledger, shows the outcome.

#include <cstdint>
#include <string_view>

#include "daemon/module/worker_services.h"
#include "modules/affinity/affinity_plan.h"
#include "modules/affinity/exchange_state.h"
#include "modules/affinity/replica_table.h"
#include "modules/affinity/session_sealer.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

/// What the app asks for with `Limpet-Affinity`.
enum class AppWish : std::uint8_t {
  kNone,
  kKeep,     ///< nothing is set, renewed or deleted by this response
  kEnd,      ///< the session is over: the cookie is deleted
  kMayMove,  ///< the session lives on but may be placed anew: the cookie is deleted as well, so
             ///< that the next request is a first one
};

/// Borrows: everything given. Thread: its worker.
class ResponseWriter {
 public:
  ResponseWriter(const AffinityPlan& plan, TokenBox& box, const ReplicaTable& table, Sealer& sealer,
                 WorkerServices& worker) noexcept
      : plan_(plan),
        settings_(plan.settings()),
        box_(box),
        table_(table),
        sealer_(sealer),
        worker_(worker) {}

  /// Does all of it. `state` is null where select was never asked.
  void write(Exchange& exchange, ExchangeState* state);

 private:
  /// Takes the app's control fields out.
  [[nodiscard]] AppWish take_wish(HeaderList& fields) const;
  [[gnu::noinline]] [[nodiscard]] AppWish take_some_wish(HeaderList& fields) const;
  [[gnu::noinline]] void learn_incarnation(HeaderList& fields, const Replica& replica) const;
  [[gnu::noinline]] void wrap_sessions(Exchange& exchange, const ExchangeState& state);
  void write_cookie(Exchange& exchange, ExchangeState& state, AppWish wish);
  [[gnu::noinline]] void set_new_cookie(Exchange& exchange, const ExchangeState& state);
  [[gnu::noinline]] void renew_cookie(Exchange& exchange, const ExchangeState& state);
  /// Takes this pool's token out of the client's cookie, which is deleted where nothing is left.
  [[gnu::noinline]] void end_cookie(Exchange& exchange, const ExchangeState& state);
  /// Sets it to the token and those of other pools that the client has.
  void add_cookie(Exchange& exchange, const ExchangeState& state, std::string_view token);
  /// Deletes it where the value is empty.
  void set_cookie(Exchange& exchange, std::string_view value);
  /// Seals a cookie's token. Empty where sealing failed.
  [[nodiscard]] std::string_view seal(Exchange& exchange, const TokenFacts& facts);
  [[gnu::noinline]] void show(Exchange& exchange) const;
  /// Moves a session in the ledger of a replica.
  void note_session(SessionKind kind, const Replica& replica, WallSeconds last_seen,
                    std::int32_t change) const noexcept;
  [[gnu::noinline]] void note_end(const Exchange& exchange,
                                  const ExchangeState& state) const noexcept;

  const AffinityPlan& plan_;
  const AffinitySettings& settings_;
  TokenBox& box_;
  const ReplicaTable& table_;
  Sealer& sealer_;
  WorkerServices& worker_;
};

}  // namespace limpet::affinity
