// SPDX-License-Identifier: Apache-2.0
#pragma once
// Candidates: the replicas of a pool at the moment of one choice: who stands how, who is eligible,
// and the choice itself. Eligibility is looked up lazily, so that a choice costs the same with 3
// replicas and with 10,000. Affinity prefers, balance picks.

#include <cstdint>

#include "daemon/base/clock.h"
#include "daemon/module/exchange.h"
#include "daemon/module/pool.h"

namespace limpet {

/// How a replica stands for one request, the first that applies.
enum class Standing : std::uint8_t {
  kDown,      ///< state = "down", failed its probes, or ejected
  kTried,     ///< this exchange failed on it already
  kDraining,  ///< keeps its sessions, takes no new ones
  kUnproven,  ///< not probed yet: keeps its sessions, takes no new ones until the first probe has
              ///< ended
  kFull,      ///< at max_requests (asked of the limits the balance module set)
  kReady,
};

/// The most that balance allows a replica; 0 = no limit. Set by the balance module's plan for its
/// pool.
struct ReplicaLimits {
  std::uint32_t requests_max = 0;
  std::uint32_t sessions_max = 0;
};

/// What select decided.
struct Choice {
  enum class Kind : std::uint8_t {
    kNone,    ///< nobody chose: 503
    kChosen,  ///< `replica`
    kWait,    ///< for `replica`, or for any where it is null; asked again when one has room or
              ///< recovers, or at the end of `at_most`
    kAnswer,  ///< Exchange::answer was set
  };
  Kind kind = Kind::kNone;
  const Replica* replica = nullptr;
  Duration at_most{0};
  std::uint32_t queue_max = 0;  ///< how many may wait in this pool; one more is answered 503
};

/// Says which replicas can serve one exchange at all, whatever their state: all of a pool serve the
/// same thing, but while releases are changed not all in the same language.
class CandidateFilter {
 public:
  [[nodiscard]] virtual bool is_fit(const Replica& replica) const noexcept = 0;

 protected:
  ~CandidateFilter() = default;
};

/// One pool seen by one exchange.
/// Borrows: the pool and the exchange. Lifetime: one select phase.
class Candidates {
 public:
  Candidates(const PoolFacts& pool, Exchange& exchange, ReplicaLimits limits, Instant now,
             bool is_panicking) noexcept
      : pool_(pool), exchange_(exchange), limits_(limits), now_(now), is_panicking_(is_panicking) {}

  [[nodiscard]] const PoolFacts& pool() const noexcept { return pool_; }
  [[nodiscard]] Exchange& exchange() const noexcept { return exchange_; }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(pool_.replicas.size());
  }
  [[nodiscard]] const Replica& at(std::uint32_t i) const noexcept { return pool_.replicas[i]; }
  [[nodiscard]] Instant now() const noexcept { return now_; }
  /// Fewer replicas than `panic_threshold` are eligible: health is disregarded (not an operator's
  /// "down").
  [[nodiscard]] bool is_panicking() const noexcept { return is_panicking_; }

  [[gnu::always_inline]] [[nodiscard]] inline Standing standing(
      const Replica& replica) const noexcept;
  /// Whether balance may give a request without a session to it: ready, weight above 0, not over
  /// sessions_max.
  [[nodiscard]] bool is_eligible(const Replica& replica) const noexcept;
  /// Whether it would be eligible if it had room: worth waiting for.
  [[nodiscard]] bool is_worth_waiting_for(const Replica& replica) const noexcept;

  /// From now on only replicas that `filter` calls fit are eligible. A module that narrows does so
  /// before the others are asked, and makes sure that somebody is left.
  /// Borrows: the filter, for this select phase.
  void narrow(const CandidateFilter& filter) noexcept { filter_ = &filter; }
  [[nodiscard]] bool is_fit(const Replica& replica) const noexcept {
    return filter_ == nullptr || filter_->is_fit(replica);
  }

  void choose(const Replica& replica) noexcept {
    choice_ = {Choice::Kind::kChosen, &replica, {}, 0};
  }
  /// Waits for `replica`, or for any where it is null.
  void wait_for(const Replica* replica, Duration at_most, std::uint32_t queue_max) noexcept {
    choice_ = {Choice::Kind::kWait, replica, at_most, queue_max};
  }
  /// limpet answers by itself, with what stands in `answer`.
  void refuse(const Answer& answer) noexcept {
    exchange_.answer = answer;
    choice_ = {Choice::Kind::kAnswer, nullptr, {}, 0};
  }
  [[nodiscard]] const Choice& choice() const noexcept { return choice_; }

 private:
  [[nodiscard]] bool is_full(const Replica& replica) const noexcept {
    return limits_.requests_max > 0 && replica.vitals->in_flight() >= limits_.requests_max;
  }

  const PoolFacts& pool_;
  Exchange& exchange_;
  ReplicaLimits limits_;
  Instant now_;
  bool is_panicking_;
  const CandidateFilter* filter_ = nullptr;
  Choice choice_;
};

inline Standing Candidates::standing(const Replica& replica) const noexcept {
  const Vitals& vitals = *replica.vitals;
  const AdminState admin = vitals.admin.load(std::memory_order_relaxed);
  if (admin == AdminState::kDown) return Standing::kDown;
  if (!is_panicking_) {
    if (vitals.health.load(std::memory_order_relaxed) == Health::kDown) return Standing::kDown;
    if (vitals.is_ejected(now_)) return Standing::kDown;
  }
  if (exchange_.attempts_count > 0 && exchange_.was_tried(replica)) return Standing::kTried;
  if (!is_panicking_ && admin == AdminState::kReady &&
      vitals.health.load(std::memory_order_relaxed) == Health::kUnproven) {
    return Standing::kUnproven;
  }
  if (is_full(replica)) return Standing::kFull;
  return admin == AdminState::kDrain ? Standing::kDraining : Standing::kReady;
}

}  // namespace limpet
