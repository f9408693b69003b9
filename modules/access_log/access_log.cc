// SPDX-License-Identifier: Apache-2.0
#include "modules/access_log/access_log.h"

#include <chrono>
#include <memory>

#include "modules/access_log/line_format.h"

namespace limpet::access_log {
namespace {

enum class Format : std::uint8_t { kJson, kCombined, kOff };

class AccessLog final : public Module {
 public:
  AccessLog(Format format, Query query, WorkerServices& worker)
      : format_(format), lines_(query), worker_(worker) {}

  void on_done(const Exchange& exchange) noexcept override {
    LineWriter* writer = worker_.access_log();
    if (writer == nullptr) return;
    const WallTime now = std::chrono::system_clock::now();
    writer->append(worker_.worker(), format_ == Format::kJson ? lines_.json(exchange, now)
                                                              : lines_.combined(exchange, now));
  }
  void on_left(const Exchange&) noexcept override {}

 private:
  Format format_;
  LineFormat lines_;
  WorkerServices& worker_;
};

class AccessLogPlan final : public ModulePlan {
 public:
  AccessLogPlan(Format format, Query query) noexcept : format_(format), query_(query) {}

  [[nodiscard]] bool wants(Phase phase) const noexcept override {
    return phase == Phase::kDone && format_ != Format::kOff;
  }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<AccessLog>(format_, query_, services.worker);
  }

 private:
  Format format_;
  Query query_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader, const PlanContext& context) {
  const ConfigReader reader = context.root.table("access_log");
  const Format format = reader.choice(
      "format", Format::kJson,
      {{"json", Format::kJson}, {"combined", Format::kCombined}, {"off", Format::kOff}},
      "json, combined or off");
  const bool is_query_shown = reader.flag("query", false, "whether the query is logged");
  return std::make_unique<AccessLogPlan>(format, is_query_shown ? Query::kShown : Query::kHidden);
}

}  // namespace
}  // namespace limpet::access_log

namespace limpet {

const ModuleKind kAccessLog{"access_log", access_log::read};

}  // namespace limpet
