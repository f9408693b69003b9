// SPDX-License-Identifier: Apache-2.0
#pragma once
// AffinityPlan: one pool's checked affinity settings and its keys; answers explain. What a worker
// does with them is affinity_module.h; reading them from limpet.toml is read_settings.h.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/module/module.h"
#include "modules/affinity/cookie_form.h"
#include "modules/affinity/judge.h"
#include "modules/affinity/keyring.h"
#include "modules/affinity/policy.h"
#include "modules/affinity/source.h"

namespace limpet::affinity {

/// [pool.NAME.affinity], checked.
struct AffinitySettings {
  std::string pool_name;
  std::vector<Source> sources;       ///< empty = no affinity
  std::optional<CookieForm> cookie;  ///< set where cookie is a source
  std::optional<CookieForm>
      twin_cookie;            ///< arr_compat: NAMESameSite, the same value for embedded pages
  bool has_sessions = false;  ///< mcp is a source
  bool is_learning = false;   ///< session_ids = "learn": ids are the replicas' own, and looked up
  PrincipalSetting binding;   ///< bind_to: whose session ids are good for nobody else
  TokenRules rules;
  PolicyTable policies;
  bool is_stripped = true;
  bool is_arr_compatible = false;
  bool is_shown = false;
  std::shared_ptr<const KeyRing> keys;  ///< null where no source holds tokens

  /// What is done about a cause. An expired cookie is as none, since refusing would shut its client
  /// out for good; an expired session id is as one whose replica is gone.
  [[nodiscard]] const Policy& policy_for(Cause cause, Source::Kind kind) const noexcept;
};

/// Immutable, shared by all workers.
class AffinityPlan final : public ModulePlan {
 public:
  explicit AffinityPlan(AffinitySettings settings);

  [[nodiscard]] bool wants(Phase phase) const noexcept override;
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override;
  void explain(const ExplainQuestion& question, const PoolFacts& pool,
               ExplainAnswer& answer) const override;

  [[nodiscard]] const AffinitySettings& settings() const noexcept { return settings_; }
  /// A number that no other plan of this process has had: what a connection remembers holds for one
  /// plan only.
  [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

 private:
  AffinitySettings settings_;
  std::uint64_t serial_;
};

}  // namespace limpet::affinity
