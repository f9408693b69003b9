// SPDX-License-Identifier: Apache-2.0
#pragma once
// ExchangeState: what affinity remembers of one exchange from select to done, and ConnectionMemory:
// what it remembers of a client connection: the token opened last, and the burst of first requests
// that belong together.

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/module/exchange.h"
#include "modules/affinity/replica_table.h"
#include "modules/affinity/source.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

/// What the request claims about where it belongs.
enum class Claim : std::uint8_t {
  kNothing,     ///< no source spoke: a first request
  kToken,       ///< a token that opened
  kUnreadable,  ///< something in a token's place that does not open
  kKey,         ///< a value whose hash decides
};

/// Lives in the exchange's arena.
struct ExchangeState {
  Claim claim = Claim::kNothing;
  bool sent_cookie = false;  ///< the request held a cookie of limpet's name, of whatever worth
  bool may_set_cookie =
      false;  ///< a response may set one: cookie is a source, and none before it spoke
  bool is_in_burst =
      false;  ///< a first request that shares its replica and cookie with others of its connection
  bool has_waited = false;
  bool is_wait_over = false;
  bool is_cookie_over = false;  ///< refused for good: the response deletes the cookie
  Cause waited_for = Cause::kNone;
  const Source* source = nullptr;      ///< the one that spoke
  TokenFacts facts;                    ///< of kToken
  std::uint32_t replica = kNoReplica;  ///< of kToken: the index that the token's replica has here
  std::uint64_t key = 0;               ///< of kKey
  std::string_view cookie_text;        ///< where the cookie's token was found, others around it
  Instant wait_began{};
  std::string_view session_id;   ///< as the client knows it, where an Mcp-Session-Id opened
  std::string_view original_id;  ///< as the replica made it

  [[nodiscard]] bool is_session() const noexcept {
    return source != nullptr && source->kind == Source::Kind::kSession;
  }
};

/// One plan's memory of a client connection; for another plan it begins anew.
///
/// The burst: requests without a token that start on one connection before the first response that
/// sets a cookie there is sent. The first of them is placed; the others follow it and get the same
/// cookie. Afterwards a request without a token is a client that keeps no cookies, and is placed by
/// itself. Connections of trusted proxies carry many clients, so they have no bursts.
struct ConnectionMemory final : ConnectionNote {
  static constexpr std::size_t kCookieFieldMax = 512;

  std::uint64_t plan = 0;  ///< serial of the plan
  TokenFacts facts;        ///< what the token opened last says
  std::uint32_t replica = kNoReplica;
  Purpose purpose = Purpose::kCookie;
  std::string text;          ///< that token, or its whole session id
  std::string cookie_field;  ///< the whole Cookie field in which it came, where that was the only
                             ///< one and not long
  std::uint32_t cut_begin = 0;  ///< where limpet's cookie stands in it
  std::uint32_t cut_bytes = 0;  ///< with its separator; 0 where nothing is stripped

  bool is_burst_over = false;
  std::uint32_t burst_open = 0;  ///< exchanges of the burst that are not done
  std::uint32_t burst_replica = kNoReplica;
  const Exchange* leader = nullptr;  ///< the burst's first request, until it is done
  std::string
      burst_token;  ///< set by the first response that sets a cookie, kept until the burst is done

  [[nodiscard]] bool holds(std::uint64_t serial, Purpose asked,
                           std::string_view sent) const noexcept {
    return plan == serial && purpose == asked && !text.empty() && text == sent;
  }
  void remember(Purpose sealed_for, std::string_view sent, const TokenFacts& said,
                std::uint32_t index) {
    purpose = sealed_for;
    text = sent;
    facts = said;
    replica = index;
    cookie_field.clear();
  }
  void begin_anew(std::uint64_t serial) {
    *this = ConnectionMemory();
    plan = serial;
  }
};

}  // namespace limpet::affinity
