// SPDX-License-Identifier: Apache-2.0
#include "modules/health/health.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "modules/health/ejection.h"
#include "modules/health/probe_judge.h"
#include "modules/health/settings.h"

namespace limpet::health {
namespace {

/// Watches live traffic. The exchange's note has one bit for each attempt that was counted.
class HealthModule final : public Module {
 public:
  HealthModule(const PassiveSettings& settings, const ModuleServices& services)
      : slot_(services.slot), ejector_(settings, services.worker) {}

  Verdict on_failure(Exchange& exchange, const Failure& failure) override {
    if (exchange.attempts_count == 0 || exchange.pool == nullptr) return Verdict::kNext;
    const std::size_t last = exchange.attempts_count - 1U;
    const std::uintptr_t counted = counted_of(exchange) | std::uintptr_t{1} << last;
    exchange.notes[slot_] = reinterpret_cast<void*>(counted);
    const bool speaks_against = failure.cause == FailureCause::kStatus
                                    ? is_replica_fault(failure.status)
                                    : is_replica_fault(failure.cause);
    if (speaks_against) count(exchange, *exchange.attempts[last].replica, failure.cause);
    return Verdict::kNext;
  }

  void on_done(const Exchange& exchange) noexcept override {
    if (exchange.attempts_count == 0 || exchange.pool == nullptr) return;
    const Attempt& last = exchange.attempts[exchange.attempts_count - 1U];
    if (exchange.attempts_count > 1 || last.failure != FailureCause::kNone) [[unlikely]]
      count_failures(exchange);
    // Only a response of the replica itself says something; limpet's own answers do not.
    if (last.failure != FailureCause::kNone || exchange.times.first_byte == kNever) return;
    if (exchange.answer.status != 0) return;
    if (is_replica_fault(exchange.status)) {
      count(exchange, *last.replica, FailureCause::kStatus);
    } else {
      ejector_.on_good(*last.replica);
    }
  }
  void on_left(const Exchange&) noexcept override {}

 private:
  // Those that on_failure() was not asked about.
  [[gnu::noinline]] void count_failures(const Exchange& exchange) noexcept {
    const std::uintptr_t counted = counted_of(exchange);
    for (std::size_t i = 0; i < exchange.attempts_count; ++i) {
      const Attempt& attempt = exchange.attempts[i];
      if ((counted >> i & 1) != 0) continue;
      if (is_replica_fault(attempt.failure)) count(exchange, *attempt.replica, attempt.failure);
    }
  }
  [[nodiscard]] std::uintptr_t counted_of(const Exchange& exchange) const noexcept {
    return reinterpret_cast<std::uintptr_t>(exchange.notes[slot_]);
  }
  [[gnu::noinline]] void count(const Exchange& exchange, const Replica& replica,
                               FailureCause cause) {
    ejector_.on_fault(*exchange.pool, replica, name_of(cause));
  }

  std::size_t slot_;
  Ejector ejector_;
};

class HealthPlan final : public ModulePlan {
 public:
  explicit HealthPlan(HealthSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool wants(Phase phase) const noexcept override {
    return settings_.passive.is_on() && (phase == Phase::kFailure || phase == Phase::kDone);
  }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<HealthModule>(settings_.passive, services);
  }
  [[nodiscard]] std::optional<Health> initial_health() const noexcept override {
    return settings_.initial;
  }
  [[nodiscard]] std::unique_ptr<ProbeJudge> judge(const PoolFacts& pool,
                                                  const Replica& replica) const override {
    if (!settings_.active.is_on) return nullptr;
    return std::make_unique<Judge>(settings_.active, pool, replica);
  }

 private:
  HealthSettings settings_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader settings, const PlanContext&) {
  return std::make_unique<HealthPlan>(read_health_settings(settings));
}

}  // namespace
}  // namespace limpet::health

namespace limpet {

const ModuleKind kHealth{"health", health::read};

}  // namespace limpet
