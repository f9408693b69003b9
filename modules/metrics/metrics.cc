// SPDX-License-Identifier: Apache-2.0
#include "modules/metrics/metrics.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace limpet {
namespace {

// Classes of status: none sent, 1xx to 5xx; of an attempt also that it failed without a status.
constexpr std::size_t kClasses = 7;
constexpr std::size_t kFailed = 6;
constexpr std::array<std::string_view, kClasses> kClassNames = {"none", "1xx", "2xx",   "3xx",
                                                                "4xx",  "5xx", "failed"};

constexpr std::size_t class_of(std::uint16_t status) noexcept {
  const std::size_t hundreds = status / 100U;
  return hundreds <= 5 ? hundreds : 0;
}

/// Handles are asked for when first needed and kept, so that a request costs a few additions.
class Metrics final : public Module {
 public:
  explicit Metrics(const ModuleServices& services)
      : set_(services.worker.metrics()),
        pool_(services.pool == nullptr ? "none" : services.pool->name),
        replicas_(services.pool == nullptr ? 0 : services.pool->replicas.size()),
        request_bytes_(set_.counter("limpet_request_bytes_total", {{"pool", pool_}})),
        response_bytes_(set_.counter("limpet_response_bytes_total", {{"pool", pool_}})),
        duration_(set_.histogram("limpet_request_duration_seconds", {{"pool", pool_}})),
        ttfb_(set_.histogram("limpet_replica_ttfb_seconds", {{"pool", pool_}})) {}

  void on_done(const Exchange& exchange) noexcept override {
    const std::size_t code_class = class_of(exchange.status);
    requests(code_class, exchange.affinity.outcome).add();
    if (exchange.request_body_bytes > 0) request_bytes_.add(exchange.request_body_bytes);
    if (exchange.response_body_bytes > 0) response_bytes_.add(exchange.response_body_bytes);
    const Times& times = exchange.times;
    if (times.done != kNever && times.started != kNever) {
      duration_.observe(times.done - times.started);
    }
    if (exchange.attempts_count == 0) return;
    const Attempt& last = exchange.attempts[exchange.attempts_count - 1U];
    if (exchange.attempts_count > 1 || last.failure != FailureCause::kNone) [[unlikely]]
      count_failures(exchange);
    if (times.first_byte == kNever || exchange.answer.status != 0) return;
    if (last.failure == FailureCause::kNone) attempts(*last.replica, code_class).add();
    if (times.sent != kNever) ttfb_.observe(times.first_byte - times.sent);
  }
  void on_left(const Exchange&) noexcept override {}

 private:
  [[gnu::noinline]] void count_failures(const Exchange& exchange) noexcept {
    for (std::size_t i = 0; i < exchange.attempts_count; ++i) {
      const FailureCause failure = exchange.attempts[i].failure;
      const Replica& replica = *exchange.attempts[i].replica;
      if (failure == FailureCause::kStatus) {
        attempts(replica, class_of(503)).add();
      } else if (failure != FailureCause::kNone) {
        attempts(replica, kFailed).add();
      }
    }
  }

  [[gnu::always_inline]] Counter& requests(std::size_t code_class, Outcome outcome) {
    Counter* const handle = requests_[code_class][static_cast<std::size_t>(outcome)];
    return handle != nullptr ? *handle : make_requests(code_class, outcome);
  }
  [[gnu::noinline]] Counter& make_requests(std::size_t code_class, Outcome outcome) {
    Counter& made =
        set_.counter("limpet_requests_total", {{"pool", pool_},
                                               {"code_class", std::string(kClassNames[code_class])},
                                               {"affinity", std::string(name_of(outcome))}});
    requests_[code_class][static_cast<std::size_t>(outcome)] = &made;
    return made;
  }

  [[gnu::always_inline]] Counter& attempts(const Replica& replica, std::size_t code_class) {
    Counter* const handle = replicas_[replica.index][code_class];
    return handle != nullptr ? *handle : make_attempts(replica, code_class);
  }
  [[gnu::noinline]] Counter& make_attempts(const Replica& replica, std::size_t code_class) {
    Counter& made = set_.counter("limpet_replica_requests_total",
                                 {{"pool", pool_},
                                  {"replica", replica.id},
                                  {"code_class", std::string(kClassNames[code_class])}});
    replicas_[replica.index][code_class] = &made;
    return made;
  }

  MetricSet& set_;
  std::string pool_;
  std::array<std::array<Counter*, kOutcomes>, kClasses> requests_{};
  std::vector<std::array<Counter*, kClasses>> replicas_;
  Counter& request_bytes_;
  Counter& response_bytes_;
  Histogram& duration_;
  Histogram& ttfb_;
};

class MetricsPlan final : public ModulePlan {
 public:
  [[nodiscard]] bool wants(Phase phase) const noexcept override { return phase == Phase::kDone; }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<Metrics>(services);
  }
};

std::unique_ptr<const ModulePlan> read(ConfigReader, const PlanContext&) {
  return std::make_unique<MetricsPlan>();
}

}  // namespace

const ModuleKind kMetrics{"metrics", read};

}  // namespace limpet
