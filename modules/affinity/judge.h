// SPDX-License-Identifier: Apache-2.0
#pragma once
// Judge: why a token that opened does not lead to its replica, in two steps: what the token itself
// says (pool, age, replica, life of the replica), and how the replica stands for this exchange.
// What follows from a cause is a policy (policy.h).

#include <algorithm>
#include <cstdint>

#include "daemon/base/clock.h"
#include "daemon/module/candidates.h"
#include "daemon/module/exchange.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

/// The rules of one pool for its tokens.
struct TokenRules {
  std::uint64_t pool = 0;                         ///< pool_mark() of its name
  Duration idle = kForever;                       ///< unused for so long: expired
  Duration absolute = kForever;                   ///< older than that: expired
  Duration clock_skew = std::chrono::minutes(5);  ///< a token from further in the future is invalid
  bool is_strict = false;                         ///< incarnation = "strict"

  /// The length of a last-seen bucket: a sixteenth of `idle`, at least a second. A token is sealed
  /// anew when the bucket advances, and expires when `idle` and one bucket have passed: never
  /// early. Nothing is sealed anew where `idle` is off.
  [[nodiscard]] std::chrono::seconds bucket() const noexcept;
  /// The beginning of the bucket that `now` is in.
  [[nodiscard]] WallSeconds bucket_start(WallSeconds now) const noexcept;
};

/// What a token says by itself: kForeign, kInvalid (from the future), kExpired, or kNone.
[[nodiscard]] inline Cause judge_token(const TokenFacts& facts, const TokenRules& rules,
                                       WallSeconds now) noexcept {
  if (facts.pool != rules.pool) return Cause::kForeign;
  if (std::max(facts.issued, facts.last_seen) > now + rules.clock_skew) return Cause::kInvalid;
  if (rules.absolute != kForever && now - facts.issued > rules.absolute) return Cause::kExpired;
  if (rules.idle != kForever && now - facts.last_seen > rules.idle + rules.bucket())
    return Cause::kExpired;
  return Cause::kNone;
}

/// Whether the replica of that name lives another life than the one that the token names. What the
/// replica reports decides; where either side knows nothing of that, the token must be younger than
/// the last sign of death.
[[nodiscard]] bool is_other_life(const TokenFacts& facts, const Vitals& vitals) noexcept;

/// Whether this exchange saw its connect refused: the process is no more, whatever the probes said
/// before.
[[nodiscard]] bool was_refused_by(const Exchange& exchange, const Replica& replica) noexcept;

/// How the replica stands for this exchange: kNone, or kGone (refused connect), kDown, kFull,
/// kDraining.
[[gnu::always_inline]] [[nodiscard]] inline Cause judge_replica(const Candidates& candidates,
                                                                const Exchange& exchange,
                                                                const Replica& replica) noexcept {
  if (exchange.attempts_count > 0 && was_refused_by(exchange, replica)) return Cause::kGone;
  switch (candidates.standing(replica)) {
    case Standing::kDown:
    case Standing::kTried:
      return Cause::kDown;
    case Standing::kFull:
      return Cause::kFull;
    case Standing::kDraining:
      return Cause::kDraining;
    case Standing::kUnproven:  // its session's best hope, before its first probe
    case Standing::kReady:
      return Cause::kNone;
  }
  return Cause::kNone;
}

/// The facts of a token sealed now for `replica`. It is dated behind the replica's last sign of
/// death in any case, so that a session placed in the very second in which a restarted replica came
/// back belongs to its new life.
[[nodiscard]] TokenFacts facts_for(const Replica& replica, std::uint64_t mark,
                                   const TokenRules& rules, WallSeconds now) noexcept;

}  // namespace limpet::affinity
