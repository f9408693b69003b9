// SPDX-License-Identifier: Apache-2.0
#pragma once
// Judge: turns the probe results of one replica into its health, and says when to probe again. It
// sends nothing (proxy/prober.h does) and knows nothing of live traffic (ejection.h does).

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/base/random.h"
#include "daemon/module/pool.h"
#include "daemon/module/probe.h"
#include "modules/health/settings.h"

namespace limpet::health {

/// One replica under observation.
/// Owns: copies of all it needs, since it may outlive the snapshot that made it. Thread: main.
class Judge final : public ProbeJudge {
 public:
  Judge(const ActiveSettings& settings, const PoolFacts& pool, const Replica& replica);

  [[nodiscard]] const ProbeSpec& spec() const noexcept override { return settings_.spec; }
  [[nodiscard]] Duration first_delay() override;
  [[nodiscard]] Duration on_result(const ProbeResult& result, Instant now,
                                   WallSeconds wall) override;
  [[nodiscard]] bool is_success(const ProbeResult& result) const noexcept override;
  [[nodiscard]] bool continues(const ProbeJudge& before) override;

 private:
  void take_incarnation(const ProbeResult& result);
  void on_good(Instant now);
  void on_bad(const ProbeResult& result);
  [[nodiscard]] Duration next_delay();

  ActiveSettings settings_;
  std::string pool_;
  std::string replica_;
  std::shared_ptr<Vitals> vitals_;
  bool is_newcomer_ = false;  ///< joined a pool that was at work already
  std::uint32_t good_in_a_row_ = 0;
  std::uint32_t bad_in_a_row_ = 0;
  Random random_ = Random::from_kernel();
};

}  // namespace limpet::health
