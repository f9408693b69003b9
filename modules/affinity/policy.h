// SPDX-License-Identifier: Apache-2.0
#pragma once
// Policy: what is done with a request whose replica cannot take it, one for each cause, and the
// words for it in limpet.toml:
//   move | keep | refuse:STATUS | wait:DURATION then move | wait:DURATION then refuse:STATUS |
//   carry-over else refuse:STATUS | wait:DURATION then carry-over else refuse:STATUS
// Which cause it is, judge.h says; what follows, the module does.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/module/exchange.h"

namespace limpet::affinity {

/// What is done after any waiting.
enum class Measure : std::uint8_t {
  kMove,    ///< another replica, a new token
  kKeep,    ///< the same replica in spite of it (draining only)
  kRefuse,  ///< limpet answers with Policy::status
};

struct Policy {
  Duration wait{0};  ///< at most, for the replica to come back or to have room; 0 = not at all
  Measure then = Measure::kMove;
  std::uint16_t status = 0;             ///< of kRefuse
  bool is_carried_if_possible = false;  ///< "carry-over else": a session is opened anew elsewhere
                                        ///< where that can be; else the rest holds

  friend bool operator==(const Policy&, const Policy&) = default;
};

/// One policy a cause; Cause::kNone has none.
using PolicyTable = std::array<Policy, kCauses>;

/// Which words make sense where a policy stands.
struct PolicyWords {
  bool may_wait = false;
  bool may_keep = false;
  bool may_refuse = true;
  bool may_carry_over = false;
};
/// The words that may stand for a cause: waiting helps where a replica may come back, keeping where
/// it still answers.
[[nodiscard]] PolicyWords words_for(Cause cause) noexcept;

/// Reads a policy.
/// Errors: what was expected.
[[nodiscard]] Result<Policy> parse_policy(std::string_view text, PolicyWords words);
/// The words that parse_policy() reads.
[[nodiscard]] std::string print_policy(const Policy& policy);

}  // namespace limpet::affinity
