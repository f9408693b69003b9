// SPDX-License-Identifier: Apache-2.0
#include "modules/health/ejection.h"

#include <algorithm>
#include <string>

#include "daemon/base/log.h"
#include "daemon/base/units.h"

namespace limpet::health {
namespace {

constexpr std::uint16_t kRepeatsMax = 10;
// After ten times the first ejection without another one, a replica's past is forgotten.
constexpr int kForgottenAfter = 10;
constexpr Duration kTenth = std::chrono::milliseconds(100);

std::uint32_t tenths(Instant now) {
  return static_cast<std::uint32_t>(now.time_since_epoch() / kTenth);
}

}  // namespace

bool is_replica_fault(FailureCause cause) noexcept {
  switch (cause) {
    case FailureCause::kConnectRefused:
    case FailureCause::kConnectTimeout:
    case FailureCause::kConnectFailed:
    case FailureCause::kReset:
    case FailureCause::kBadResponse:
    case FailureCause::kHeadTimeout:
    case FailureCause::kBodyTimeout:
    case FailureCause::kTruncated:
    case FailureCause::kStatus:
      return true;
    // A kept connection that the replica closed, a stream it gave back: it may do that.
    // Nor is it to blame for what limpet lacks.
    case FailureCause::kOwnLimit:
    case FailureCause::kUnsent:
    case FailureCause::kRefusedStream:
    case FailureCause::kNone:
      return false;
  }
  return false;
}

Ejector::Window Ejector::Window::of(std::uint64_t packed) noexcept {
  return {static_cast<std::uint32_t>(packed >> 32), static_cast<std::uint16_t>(packed >> 16),
          static_cast<std::uint16_t>(packed)};
}

std::uint64_t Ejector::Window::packed() const noexcept {
  return std::uint64_t{started} << 32 | std::uint64_t{repeats} << 16 | failures;
}

void Ejector::on_good(const Replica& replica) noexcept {
  auto& cell = replica.vitals->passive_window;
  std::uint64_t held = cell.load(std::memory_order_relaxed);
  Window window = Window::of(held);
  if (window.failures == 0) return;
  window.failures = 0;
  // Lost to another worker's failure at the same moment: that one came later.
  cell.compare_exchange_strong(held, window.packed(), std::memory_order_relaxed);
}

void Ejector::on_fault(const PoolFacts& pool, const Replica& replica, std::string_view reason) {
  const Instant now = worker_.now();
  Vitals& vitals = *replica.vitals;
  if (vitals.is_ejected(now)) return;
  const auto window_tenths = static_cast<std::uint32_t>(settings_.window / kTenth);
  auto& cell = vitals.passive_window;
  std::uint64_t held = cell.load(std::memory_order_relaxed);
  bool is_due = false;
  Window window;
  do {
    window = Window::of(held);
    if (window.failures == 0 || tenths(now) - window.started > window_tenths) {
      window.started = tenths(now);
      window.failures = 0;
    }
    ++window.failures;
    is_due = window.failures >= settings_.failures;
    if (is_due) window.failures = 0;
  } while (!cell.compare_exchange_weak(held, window.packed(), std::memory_order_relaxed));
  if (is_due && may_eject(pool)) eject(pool, replica, reason);
}

bool Ejector::may_eject(const PoolFacts& pool) const noexcept {
  std::size_t out = 1;
  for (const Replica& replica : pool.replicas) {
    const Vitals& vitals = *replica.vitals;
    const bool is_out = vitals.is_ejected(worker_.now()) ||
                        vitals.health.load(std::memory_order_relaxed) != Health::kUp;
    if (is_out) ++out;
  }
  return out * 100 <= pool.replicas.size() * settings_.ejected_percent_max;
}

void Ejector::eject(const PoolFacts& pool, const Replica& replica, std::string_view reason) {
  const Instant now = worker_.now();
  Vitals& vitals = *replica.vitals;
  Window window = Window::of(vitals.passive_window.load(std::memory_order_relaxed));
  const Instant last_until{Duration(vitals.ejected_until_ns.load(std::memory_order_relaxed))};
  if (now - last_until > settings_.eject * kForgottenAfter) window.repeats = 0;
  window.repeats =
      std::min<std::uint16_t>(static_cast<std::uint16_t>(window.repeats + 1), kRepeatsMax);
  vitals.passive_window.store(window.packed(), std::memory_order_relaxed);

  const Duration span = settings_.eject * window.repeats;
  const std::int64_t until_ns = (now + span).time_since_epoch().count();
  vitals.ejected_until_ns.store(until_ns, std::memory_order_relaxed);
  vitals.ready_since_ns.store(until_ns, std::memory_order_relaxed);
  worker_.metrics()
      .counter("limpet_replica_ejections_total",
               {{"pool", pool.name}, {"replica", replica.id}, {"reason", std::string(reason)}})
      .add();
  log::warning("replica is ejected", {{"pool", pool.name},
                                      {"replica", replica.id},
                                      {"why", reason},
                                      {"for", print_duration(span)}});
}

}  // namespace limpet::health
