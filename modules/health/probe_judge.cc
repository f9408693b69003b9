// SPDX-License-Identifier: Apache-2.0
#include "modules/health/probe_judge.h"

#include <algorithm>
#include <chrono>

#include "daemon/base/hash.h"
#include "daemon/base/log.h"

namespace limpet::health {
namespace {

constexpr Duration kDoubtMin = std::chrono::milliseconds(200);
constexpr Duration kSpreadMax = std::chrono::milliseconds(100);
// A dead replica is probed half as often after each so many failures, at last a quarter as often.
constexpr std::uint32_t kBackOffEvery = 5;
constexpr std::uint32_t kBackOffMax = 4;

std::string describe(const ProbeResult& result) {
  switch (result.kind) {
    case ProbeResult::Kind::kAnswered:
      return "status " + std::to_string(result.status);
    case ProbeResult::Kind::kConnected:
      return "connected";
    case ProbeResult::Kind::kServing:
      return "serving";
    case ProbeResult::Kind::kNotServing:
      return "not serving";
    case ProbeResult::Kind::kRefused:
      return "connection refused";
    case ProbeResult::Kind::kTimeout:
      return "timeout";
    case ProbeResult::Kind::kBroken:
      return "broken answer";
  }
  return "broken answer";
}

// Whether the daemon has seen others of this pool before: then this replica is new, not the daemon.
bool is_pool_at_work(const PoolFacts& pool) {
  return std::any_of(pool.replicas.begin(), pool.replicas.end(), [](const Replica& replica) {
    return replica.vitals->health.load(std::memory_order_relaxed) != Health::kUnproven;
  });
}

}  // namespace

Judge::Judge(const ActiveSettings& settings, const PoolFacts& pool, const Replica& replica)
    : settings_(settings),
      pool_(pool.name),
      replica_(replica.id),
      vitals_(replica.vitals),
      is_newcomer_(is_pool_at_work(pool)) {}

Duration Judge::first_delay() {
  // Nothing is served before the first proof; afterwards there is time to spread the probes.
  const bool is_waited_for = vitals_->health.load() == Health::kUnproven;
  const Duration most =
      is_waited_for ? std::min(kSpreadMax, settings_.interval / 10) : settings_.interval;
  return Duration(
      static_cast<std::int64_t>(random_.fraction() * static_cast<double>(most.count())));
}

Duration Judge::on_result(const ProbeResult& result, Instant now, WallSeconds wall) {
  if (result.kind == ProbeResult::Kind::kRefused) vitals_->note_death(wall);
  take_incarnation(result);
  if (is_success(result)) {
    on_good(now);
  } else {
    on_bad(result);
  }
  return next_delay();
}

bool Judge::continues(const ProbeJudge& before) {
  const auto* known = dynamic_cast<const Judge*>(&before);
  if (known == nullptr) return false;
  is_newcomer_ = known->is_newcomer_;
  good_in_a_row_ = known->good_in_a_row_;
  bad_in_a_row_ = known->bad_in_a_row_;
  return settings_.interval == known->settings_.interval &&
         settings_.jitter_percent == known->settings_.jitter_percent;
}

bool Judge::is_success(const ProbeResult& result) const noexcept {
  if (settings_.spec.type == ProbeSpec::Type::kTcp) {
    return result.kind == ProbeResult::Kind::kConnected;
  }
  if (settings_.spec.type == ProbeSpec::Type::kGrpc) {
    return result.kind == ProbeResult::Kind::kServing;
  }
  return result.kind == ProbeResult::Kind::kAnswered && settings_.good.contains(result.status);
}

void Judge::take_incarnation(const ProbeResult& result) {
  if (result.incarnation.empty()) return;
  const std::uint64_t hash = std::max<std::uint64_t>(stable_hash(result.incarnation), 1);
  const std::uint64_t before = vitals_->incarnation.exchange(hash, std::memory_order_relaxed);
  if (before != 0 && before != hash) {
    log::info("replica has started anew",
              {{"pool", pool_}, {"replica", replica_}, {"incarnation", result.incarnation}});
  }
}

void Judge::on_good(Instant now) {
  ++good_in_a_row_;
  bad_in_a_row_ = 0;
  const Health before = vitals_->health.load(std::memory_order_relaxed);
  if (before == Health::kUp) return;
  // A first good probe is proof enough of a replica of which nothing bad is known.
  if (before == Health::kDown && good_in_a_row_ < settings_.rise) return;
  const bool starts_slowly = before == Health::kDown || is_newcomer_;
  if (starts_slowly) {
    vitals_->ready_since_ns.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  vitals_->health.store(Health::kUp, std::memory_order_relaxed);
  log::info("replica is up",
            {{"pool", pool_},
             {"replica", replica_},
             {"why", std::to_string(good_in_a_row_) +
                         (good_in_a_row_ == 1 ? " good probe" : " good probes in a row")}});
}

void Judge::on_bad(const ProbeResult& result) {
  ++bad_in_a_row_;
  good_in_a_row_ = 0;
  const Health before = vitals_->health.load(std::memory_order_relaxed);
  if (before == Health::kDown) return;
  if (before == Health::kUp && bad_in_a_row_ < settings_.fall) return;
  vitals_->health.store(Health::kDown, std::memory_order_relaxed);
  const std::string why =
      (bad_in_a_row_ == 1 ? "probe failed: "
                          : std::to_string(bad_in_a_row_) + " probes in a row failed: ") +
      describe(result);
  log::warning("replica is down", {{"pool", pool_}, {"replica", replica_}, {"why", why}});
}

Duration Judge::next_delay() {
  const bool is_up = vitals_->health.load(std::memory_order_relaxed) == Health::kUp;
  const bool is_in_doubt = is_up ? bad_in_a_row_ > 0 : good_in_a_row_ > 0;
  Duration delay = settings_.interval;
  if (is_in_doubt) {
    delay = std::min(delay, std::max(delay / 2, kDoubtMin));
  } else if (!is_up) {
    const std::uint32_t doublings = std::min(bad_in_a_row_ / kBackOffEvery, 2U);
    delay *= std::min(1U << doublings, kBackOffMax);
  }
  const double swing = (2 * random_.fraction() - 1) * settings_.jitter_percent / 100;
  return Duration(static_cast<std::int64_t>(static_cast<double>(delay.count()) * (1 + swing)));
}

}  // namespace limpet::health
