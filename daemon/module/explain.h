// SPDX-License-Identifier: Apache-2.0
#pragma once
// Explain: the question "where does this cookie, header or session id go, by which rule, or why
// not", asked of a pool's plans without an exchange. limpetctl asks it over the control socket.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/module/pool.h"

namespace limpet {

struct ExplainQuestion {
  std::string_view
      kind;  ///< "cookie", "header", "query", "session" (an Mcp-Session-Id, or the URI of a legacy
             ///< session), "principal" (a bearer token, or the value of its header), "client-ip"
  std::string_view name;   ///< of the cookie, header or query parameter; empty = the pool's own
  std::string_view value;  ///< as the client sends it
  WallSeconds now;
};

struct ExplainAnswer {
  bool is_answered = false;        ///< a plan knew the question's kind
  std::string rule;                ///< "cookie limpet"
  std::string verdict;             ///< "hit", "moved: gone", "refused 404: invalid" …
  std::string replica;             ///< id, or empty
  std::vector<std::string> notes;  ///< sentences: sealed when, by which key, last seen, state of
                                   ///< the replica, what if it were gone
};

}  // namespace limpet
