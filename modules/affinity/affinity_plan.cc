// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/affinity_plan.h"

#include <atomic>
#include <utility>

#include "modules/affinity/affinity.h"
#include "modules/affinity/affinity_module.h"
#include "modules/affinity/read_settings.h"

namespace limpet {

namespace affinity {

namespace {

std::uint64_t next_serial() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::unique_ptr<const ModulePlan> read_plan(ConfigReader settings, const PlanContext& context) {
  return std::make_unique<AffinityPlan>(read_settings(settings, context));
}

}  // namespace

const Policy& AffinitySettings::policy_for(Cause cause, Source::Kind kind) const noexcept {
  static constexpr Policy kMove{};
  if (cause == Cause::kExpired) {
    return kind == Source::Kind::kSession ? policies[static_cast<std::size_t>(Cause::kGone)]
                                          : kMove;
  }
  // In a pool of sessions it is for their ids: a cookie there only says where to begin.
  const bool is_unknown = cause == Cause::kInvalid || cause == Cause::kForeign;
  if (is_unknown && has_sessions && kind == Source::Kind::kCookie) return kMove;
  return policies[static_cast<std::size_t>(cause)];
}

AffinityPlan::AffinityPlan(AffinitySettings settings)
    : settings_(std::move(settings)), serial_(next_serial()) {}

bool AffinityPlan::wants(Phase phase) const noexcept {
  if (settings_.sources.empty()) return false;
  return phase == Phase::kSelect || phase == Phase::kResponse || phase == Phase::kDone;
}

std::unique_ptr<Module> AffinityPlan::start(const ModuleServices& services) const {
  return std::make_unique<AffinityModule>(*this, services);
}

}  // namespace affinity

const ModuleKind kAffinity = {"affinity", affinity::read_plan};

}  // namespace limpet
