// SPDX-License-Identifier: Apache-2.0
#pragma once
// SessionCarrier: who may know where a session lives after its replica is gone, and who may move
// it. Affinity owns tokens and asks; the module that carries sessions over answers. SessionSealer
// is the other direction: who may make a token for a session that did not come in a header. Neither
// knows the other.

#include <cstdint>
#include <string_view>

#include "daemon/module/pool.h"

namespace limpet {

struct Exchange;

/// A session id as affinity read it from a request; Exchange::session.
struct SessionFacts {
  std::string_view client_id;    ///< as the client knows it; empty: the request names no session
  std::string_view original_id;  ///< as the replica that holds it now made it; what is sent on
  bool is_carried = false;       ///< it lives elsewhere than its token says
  bool is_lost = false;          ///< it is no longer where it was last said to live
};

/// Asked by affinity when the replica that a session's token names is gone.
class SessionCarrier {
 public:
  enum class Kind : std::uint8_t {
    kUnknown,  ///< nothing is known, or the session may not be carried: the policy's "else"
    kMoved,    ///< it lives on `replica` now, under `original_id`
    kCarry,    ///< it may be carried: any eligible replica will do, a prelude was set
    kEnded,    ///< its client ended it: the session is not found
  };
  struct Place {
    Kind kind = Kind::kUnknown;
    const Replica* replica = nullptr;
    std::string_view original_id{};  ///< lives as long as the exchange
  };
  [[nodiscard]] virtual Place find(Exchange& exchange, std::string_view client_id) = 0;
  /// Whether the session shall leave a replica that is draining, where it still lives.
  [[nodiscard]] virtual bool shall_leave(const Replica&) { return false; }

 protected:
  ~SessionCarrier() = default;
};

/// Makes the ids by which clients know their sessions; Exchange::sealer. Set in select, by whoever
/// has the keys, where session ids are wrapped.
class SessionSealer {
 public:
  /// The client's form of the id that the exchange's replica made; empty where it cannot be made.
  /// Lifetime: the exchange's.
  [[nodiscard]] virtual std::string_view seal(Exchange& exchange, std::string_view original_id) = 0;

 protected:
  ~SessionSealer() = default;
};

}  // namespace limpet
