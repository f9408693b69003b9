// SPDX-License-Identifier: Apache-2.0
#include "modules/retry/retry.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

namespace limpet {
namespace {

constexpr std::uint32_t kBudgetFloor = 3;

/// retry.on
struct RetryOn {
  bool connect = false;
  bool unsent = false;
  bool refused_stream = false;
  bool idempotent = false;
  bool status_502 = false;
  bool status_503 = false;
  bool status_504 = false;

  [[nodiscard]] bool lists_status(std::uint16_t status) const noexcept {
    return (status == 502 && status_502) || (status == 503 && status_503) ||
           (status == 504 && status_504);
  }
  // Among the failures that are provably harmless to repeat.
  [[nodiscard]] bool lists(FailureCause cause) const noexcept {
    switch (cause) {
      case FailureCause::kConnectRefused:
      case FailureCause::kConnectTimeout:
      case FailureCause::kConnectFailed:
        return connect;
      case FailureCause::kUnsent:
        return unsent;
      case FailureCause::kRefusedStream:
        return refused_stream;
      default:
        return false;
    }
  }
};

struct RetrySettings {
  std::uint32_t attempts_max = 2;
  std::uint32_t budget_percent = 20;
  RetryOn on;
};

bool is_repeatable(const RetryOn& on, const Failure& failure, Method method) noexcept {
  if (failure.repeat == Repeat::kForbidden) return false;
  if (failure.cause == FailureCause::kStatus) {
    return on.lists_status(failure.status) && is_idempotent(method);
  }
  if (failure.repeat == Repeat::kSafe && on.lists(failure.cause)) return true;
  return on.idempotent && is_idempotent(method);
}

// Whether select is likely to find another replica; no budget is spent where there is none.
bool has_another(const Exchange& exchange, Instant now) noexcept {
  bool is_any_up = false;
  bool is_any_untried = false;
  for (const Replica& replica : exchange.pool->replicas) {
    const Vitals& vitals = *replica.vitals;
    if (replica.weight == 0 || vitals.admin.load(std::memory_order_relaxed) != AdminState::kReady) {
      continue;
    }
    const bool is_up =
        vitals.health.load(std::memory_order_relaxed) == Health::kUp && !vitals.is_ejected(now);
    const bool is_untried = !exchange.was_tried(replica);
    if (is_up && is_untried) return true;
    is_any_up |= is_up;
    is_any_untried |= is_untried;
  }
  // With nobody up the pool panics, and select disregards health as well.
  return !is_any_up && is_any_untried;
}

/// The exchange's note counts the retries it was granted.
class Retry final : public Module {
 public:
  Retry(const RetrySettings& settings, const ModuleServices& services)
      : settings_(settings), worker_(services.worker), slot_(services.slot) {
    if (services.pool == nullptr) return;
    const std::string& pool = services.pool->name;
    MetricSet& metrics = services.worker.metrics();
    successes_ = &metrics.counter("limpet_retries_total", {{"pool", pool}, {"result", "success"}});
    failures_ = &metrics.counter("limpet_retries_total", {{"pool", pool}, {"result", "failure"}});
    exhausted_ = &metrics.counter("limpet_retry_budget_exhausted_total", {{"pool", pool}});
  }

  Verdict on_failure(Exchange& exchange, const Failure& failure) override {
    if (exchange.pool == nullptr || exchange.attempts_count >= settings_.attempts_max) {
      return Verdict::kNext;
    }
    if (!is_repeatable(settings_.on, failure, exchange.request.method)) return Verdict::kNext;
    if (!has_another(exchange, worker_.now())) return Verdict::kNext;
    if (granted_of(exchange) == 0) {
      if (running_ >= budget(*exchange.pool)) {
        exhausted_->add();
        return Verdict::kNext;
      }
      ++running_;
    }
    exchange.notes[slot_] = reinterpret_cast<void*>(granted_of(exchange) + 1);
    return Verdict::kSettled;
  }

  void on_done(const Exchange& exchange) noexcept override {
    const std::uintptr_t granted = granted_of(exchange);
    if (granted == 0) return;
    --running_;
    const bool is_last_good =
        exchange.answer.status == 0 &&
        exchange.attempts[exchange.attempts_count - 1U].failure == FailureCause::kNone;
    successes_->add(is_last_good ? 1 : 0);
    failures_->add(is_last_good ? granted - 1 : granted);
  }
  void on_left(const Exchange& exchange) noexcept override {
    if (granted_of(exchange) > 0) --running_;
  }

 private:
  [[nodiscard]] std::uintptr_t granted_of(const Exchange& exchange) const noexcept {
    return reinterpret_cast<std::uintptr_t>(exchange.notes[slot_]);
  }
  // How many exchanges of this worker may be in retries at once.
  [[nodiscard]] std::uint32_t budget(const PoolFacts& pool) const noexcept {
    std::uint64_t live = 1;  // the one that asks has been counted out with its failed attempt
    for (const Replica& replica : pool.replicas) {
      live += replica.vitals->share(worker_.worker()).in_flight.load(std::memory_order_relaxed);
    }
    return std::max(kBudgetFloor,
                    static_cast<std::uint32_t>(live * settings_.budget_percent / 100));
  }

  const RetrySettings& settings_;
  WorkerServices& worker_;
  std::size_t slot_;
  std::uint32_t running_ = 0;
  Counter* successes_ = nullptr;
  Counter* failures_ = nullptr;
  Counter* exhausted_ = nullptr;
};

class RetryPlan final : public ModulePlan {
 public:
  explicit RetryPlan(const RetrySettings& settings) : settings_(settings) {}

  [[nodiscard]] bool wants(Phase phase) const noexcept override {
    return settings_.attempts_max > 1 && (phase == Phase::kFailure || phase == Phase::kDone);
  }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<Retry>(settings_, services);
  }
  [[nodiscard]] std::uint32_t attempts_max() const noexcept override {
    return settings_.attempts_max;
  }
  [[nodiscard]] bool retries_status(std::uint16_t status) const noexcept override {
    return settings_.attempts_max > 1 && settings_.on.lists_status(status);
  }

 private:
  RetrySettings settings_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader reader, const PlanContext&) {
  RetrySettings settings;
  settings.attempts_max = static_cast<std::uint32_t>(
      reader.number("attempts", 2, 1, static_cast<std::int64_t>(Exchange::kAttemptsMax),
                    "how many replicas one request may try in all"));
  settings.budget_percent = static_cast<std::uint32_t>(
      reader.number("budget", 20, 0, 100, "percent of live requests, at least 3"));
  const auto words =
      reader.choices("on", {"connect", "unsent", "refused-stream"},
                     {"connect", "unsent", "refused-stream", "idempotent", "502", "503", "504"},
                     "which failures are worth another try");
  const auto lists = [&](std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  settings.on = {lists("connect"),    lists("unsent"), lists("refused-stream"),
                 lists("idempotent"), lists("502"),    lists("503"),
                 lists("504")};
  return std::make_unique<RetryPlan>(settings);
}

}  // namespace

const ModuleKind kRetry{"retry", read};

}  // namespace limpet
