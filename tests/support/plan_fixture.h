// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plan fixture: reads a module's plan from a few lines of TOML, as the snapshot builder does, and
// keeps the mistakes. Neighbour: exchange_fixture.h, which puts the plan to work.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/config/load.h"
#include "daemon/module/module.h"

namespace limpet::test {

/// One plan and the configuration that it was read from.
/// Owns: both. Borrows: the pool.
class PlanRig {
 public:
  /// `toml` is a whole file as far as the plan looks: the module's table stands under
  /// [pool.NAME.MODULE], where NAME is the pool's; [keys] and other global tables beside it.
  PlanRig(const ModuleKind& kind, const PoolFacts& pool, std::string_view toml,
          std::string state_dir = {})
      : config_(Config::fragment(toml, "test.toml")) {
    const ConfigReader root = config_.root();
    const ConfigReader settings = root.table("pool").table(pool.name).table(kind.name);
    plan_ = kind.read(settings, PlanContext{&pool, root, std::move(state_dir)});
  }

  [[nodiscard]] bool is_valid() const { return config_.is_valid() && plan_ != nullptr; }
  /// Every mistake, as the operator sees them.
  [[nodiscard]] std::string mistakes() const { return config_.mistakes().render(); }
  [[nodiscard]] const ModulePlan& operator*() const { return *plan_; }
  [[nodiscard]] const ModulePlan* operator->() const { return plan_.get(); }

 private:
  Config config_;
  std::unique_ptr<const ModulePlan> plan_;
};

}  // namespace limpet::test
