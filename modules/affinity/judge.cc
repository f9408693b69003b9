// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/judge.h"

#include <algorithm>

namespace limpet::affinity {

namespace {

// A connect that this exchange saw refused: the process is no more, whatever the probes said
// before.
bool was_refused_by(const Exchange& exchange, const Replica& replica) noexcept {
  for (std::size_t i = 0; i < exchange.attempts_count; ++i) {
    const Attempt& attempt = exchange.attempts[i];
    if (attempt.failure == FailureCause::kConnectRefused && attempt.replica->id == replica.id)
      return true;
  }
  return false;
}

}  // namespace

std::chrono::seconds TokenRules::bucket() const noexcept {
  if (idle == kForever) return std::chrono::seconds(1);
  return std::max(std::chrono::seconds(1),
                  std::chrono::duration_cast<std::chrono::seconds>(idle / 16));
}

WallSeconds TokenRules::bucket_start(WallSeconds now) const noexcept {
  return now - now.time_since_epoch() % bucket();
}

Cause judge_token(const TokenFacts& facts, const TokenRules& rules, WallSeconds now) noexcept {
  if (facts.pool != rules.pool) return Cause::kForeign;
  if (std::max(facts.issued, facts.last_seen) > now + rules.clock_skew) return Cause::kInvalid;
  if (rules.absolute != kForever && now - facts.issued > rules.absolute) return Cause::kExpired;
  if (rules.idle != kForever && now - facts.last_seen > rules.idle + rules.bucket())
    return Cause::kExpired;
  return Cause::kNone;
}

bool is_other_life(const TokenFacts& facts, const Vitals& vitals) noexcept {
  const std::uint32_t reported =
      incarnation_mark(vitals.incarnation.load(std::memory_order_relaxed));
  if (reported != 0 && facts.incarnation != 0) return reported != facts.incarnation;
  const std::int64_t last_dead = vitals.last_dead_s.load(std::memory_order_relaxed);
  return facts.issued.time_since_epoch().count() <= last_dead;
}

Cause judge_replica(const Candidates& candidates, const Exchange& exchange,
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

TokenFacts facts_for(const Replica& replica, std::uint64_t mark, const TokenRules& rules,
                     WallSeconds now) noexcept {
  const Vitals& vitals = *replica.vitals;
  const WallSeconds dead(std::chrono::seconds(vitals.last_dead_s.load(std::memory_order_relaxed)));
  TokenFacts facts;
  facts.replica = mark;
  facts.pool = rules.pool;
  facts.incarnation = incarnation_mark(vitals.incarnation.load(std::memory_order_relaxed));
  facts.issued = std::max(now, dead + std::chrono::seconds(1));
  facts.last_seen = rules.bucket_start(now);
  return facts;
}

}  // namespace limpet::affinity
