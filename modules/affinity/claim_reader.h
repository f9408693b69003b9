// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClaimReader: reads what a request claims about where it belongs, source by source; takes limpet's
// cookies out and gives a wrapped session id back its original form, so that the replica sees
// neither. What follows from a claim, affinity_module.h decides.

#include <string_view>

#include "modules/affinity/affinity_plan.h"
#include "modules/affinity/exchange_state.h"
#include "modules/affinity/replica_table.h"
#include "modules/affinity/session_sealer.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

/// Borrows: everything given. Thread: its worker.
class ClaimReader {
 public:
  ClaimReader(const AffinityPlan& plan, TokenBox& box, const ReplicaTable& table,
              Sealer& sealer) noexcept;

  /// Reads the claim of a request that has not been read before.
  /// Cost: where the connection remembers the token, one comparison of it and no decryption.
  void read(Exchange& exchange, ExchangeState& state);

  /// The memory that the plan of that serial has of the connection, made where there is none.
  [[nodiscard]] static ConnectionMemory& memory_of(ClientFacts& client, std::uint64_t plan);
  /// An exchange of its connection's burst is done.
  [[gnu::noinline]] static void leave_burst(const Exchange& exchange, std::uint64_t plan) noexcept;

 private:
  /// Reads every source of the pool; `field` is the only Cookie field, where there is just one and
  /// it may tell.
  [[gnu::noinline]] void read_anew(Exchange& exchange, ExchangeState& state, const Field* field);
  [[nodiscard]] bool read_source(Exchange& exchange, ExchangeState& state, const Source& source);
  [[nodiscard]] bool read_session(Exchange& exchange, ExchangeState& state);
  /// The session id in the query of a legacy POST.
  [[nodiscard]] bool read_query_session(Exchange& exchange, ExchangeState& state);
  /// Reads a session id: false where it leads nowhere. What the replica is to see instead is then
  /// state.original_id.
  [[nodiscard]] bool take_session(Exchange& exchange, ExchangeState& state, std::string_view id);
  [[nodiscard]] bool take_wrapped(Exchange& exchange, ExchangeState& state, std::string_view id);
  [[nodiscard]] bool take_learned(Exchange& exchange, ExchangeState& state, std::string_view id);
  [[nodiscard]] bool read_cookies(Exchange& exchange, ExchangeState& state, const CookieForm& form);
  void strip_cookies(Exchange& exchange, ExchangeState& state) const;
  /// Reads a Cookie field that is the same, octet for octet, as the last one of this connection;
  /// false for any other.
  [[nodiscard]] bool read_known_field(Exchange& exchange, ExchangeState& state, Field& field) const;
  /// Takes limpet's cookie out of `field`, which is the one that the connection remembers.
  [[gnu::noinline]] static void cut(Exchange& exchange, Field& field, const ConnectionMemory& held);
  /// Notes the Cookie field in which the cookie just opened came, and what stripping left of it.
  void note_field(Exchange& exchange, std::string_view before, const Field& after) const;
  /// What the client sent: a cookie's value, or a whole session id with the original id that its
  /// token is bound to.
  struct Sent {
    Purpose purpose;
    std::string_view whole;
    std::string_view token;
    std::string_view bound;
  };
  /// Opens it, or remembers what it said.
  [[nodiscard]] bool open(Exchange& exchange, ExchangeState& state, const Sent& sent);
  [[nodiscard]] bool recall(const Exchange& exchange, ExchangeState& state, Purpose purpose,
                            std::string_view whole) const;

  const AffinityPlan& plan_;
  const AffinitySettings& settings_;
  TokenBox& box_;
  const ReplicaTable& table_;
  Sealer& sealer_;
  bool is_cookie_first_;  ///< the Cookie field alone decides where it holds a token
};

/// Whether a request is one of MCP's, by its header alone; such a request gets no cookie of
/// limpet's.
[[nodiscard]] bool is_mcp_request(const RequestHead& request) noexcept;

}  // namespace limpet::affinity
