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
    requests(class_of(exchange.status), exchange.affinity.outcome).add();
    if (exchange.request_body_bytes > 0) request_bytes_.add(exchange.request_body_bytes);
    if (exchange.response_body_bytes > 0) response_bytes_.add(exchange.response_body_bytes);
    const Times& times = exchange.times;
    if (times.done != kNever && times.started != kNever) {
      duration_.observe(times.done - times.started);
    }
    if (exchange.attempts_count > 0) count_attempts(exchange);
  }

 private:
  void count_attempts(const Exchange& exchange) noexcept {
    const std::size_t last = exchange.attempts_count - 1U;
    for (std::size_t i = 0; i <= last; ++i) {
      const FailureCause failure = exchange.attempts[i].failure;
      const Replica& replica = *exchange.attempts[i].replica;
      if (failure == FailureCause::kStatus) {
        attempts(replica, class_of(503)).add();
      } else if (failure != FailureCause::kNone) {
        attempts(replica, kFailed).add();
      }
    }
    const Times& times = exchange.times;
    if (times.first_byte == kNever || exchange.answer.status != 0) return;
    if (exchange.attempts[last].failure == FailureCause::kNone) {
      attempts(*exchange.attempts[last].replica, class_of(exchange.status)).add();
    }
    if (times.sent != kNever) ttfb_.observe(times.first_byte - times.sent);
  }

  Counter& requests(std::size_t code_class, Outcome outcome) {
    Counter*& handle = requests_[code_class][static_cast<std::size_t>(outcome)];
    if (handle == nullptr) {
      handle = &set_.counter("limpet_requests_total",
                             {{"pool", pool_},
                              {"code_class", std::string(kClassNames[code_class])},
                              {"affinity", std::string(name_of(outcome))}});
    }
    return *handle;
  }

  Counter& attempts(const Replica& replica, std::size_t code_class) {
    Counter*& handle = replicas_[replica.index][code_class];
    if (handle == nullptr) {
      handle = &set_.counter("limpet_replica_requests_total",
                             {{"pool", pool_},
                              {"replica", replica.id},
                              {"code_class", std::string(kClassNames[code_class])}});
    }
    return *handle;
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
  bool wants(Phase phase) const noexcept override { return phase == Phase::kDone; }
  std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<Metrics>(services);
  }
};

std::unique_ptr<const ModulePlan> read(ConfigReader, const PlanContext&) {
  return std::make_unique<MetricsPlan>();
}

}  // namespace

const ModuleKind kMetrics{"metrics", read};

}  // namespace limpet
