// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/judge.h"

#include <algorithm>

namespace limpet::affinity {

bool was_refused_by(const Exchange& exchange, const Replica& replica) noexcept {
  for (std::size_t i = 0; i < exchange.attempts_count; ++i) {
    const Attempt& attempt = exchange.attempts[i];
    if (attempt.failure == FailureCause::kConnectRefused && attempt.replica->id == replica.id)
      return true;
  }
  return false;
}

std::chrono::seconds TokenRules::bucket() const noexcept {
  if (idle == kForever) return std::chrono::seconds(1);
  return std::max(std::chrono::seconds(1),
                  std::chrono::duration_cast<std::chrono::seconds>(idle / 16));
}

WallSeconds TokenRules::bucket_start(WallSeconds now) const noexcept {
  return now - now.time_since_epoch() % bucket();
}

bool is_other_life(const TokenFacts& facts, const Vitals& vitals) noexcept {
  const std::uint32_t reported =
      incarnation_mark(vitals.incarnation.load(std::memory_order_relaxed));
  if (reported != 0 && facts.incarnation != 0) return reported != facts.incarnation;
  const std::int64_t last_dead = vitals.last_dead_s.load(std::memory_order_relaxed);
  return facts.issued.time_since_epoch().count() <= last_dead;
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
