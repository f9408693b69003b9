// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/mcp.h"

#include <memory>
#include <utility>

#include "daemon/module/client_certificate.h"
#include "modules/mcp/mcp_module.h"

namespace limpet {

namespace mcp {

namespace {

/// Immutable, shared by all workers; holds on to what they know together.
class McpPlan final : public ModulePlan {
 public:
  McpPlan(McpSettings settings, std::shared_ptr<PoolState> state)
      : settings_(std::move(settings)), state_(std::move(state)) {}

  [[nodiscard]] bool wants(Phase phase) const noexcept override {
    return state_ != nullptr && phase != Phase::kFailure;
  }
  [[nodiscard]] bool wants_ticks() const noexcept override { return state_ != nullptr; }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<McpModule>(settings_, *state_, services);
  }

 private:
  McpSettings settings_;
  std::shared_ptr<PoolState> state_;
};

std::unique_ptr<const ModulePlan> read_plan(ConfigReader reader, const PlanContext& context) {
  McpSettings settings = read_settings(reader);
  if (settings.bind_to == PrincipalRule::Kind::kCertificate)
    expect_client_certificates(reader, "bind_to", context.root);
  // Without a pool there are no sessions.
  std::shared_ptr<PoolState> state;
  if (context.pool != nullptr && context.is_in_chain)
    state = pool_state(context.pool->name, settings.bounds, settings.carry, settings.tasks_max);
  return std::make_unique<McpPlan>(std::move(settings), std::move(state));
}

}  // namespace

}  // namespace mcp

const ModuleKind kMcp = {"mcp", mcp::read_plan};

}  // namespace limpet
