// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ejector: takes a replica out of a pool for a while when live traffic fails on it several times in
// a row. It counts only what the replica caused: never limpet's own refusals, never what a client
// did. It knows nothing of probes (probe_judge.h).

#include <cstdint>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/module/exchange.h"
#include "daemon/module/pool.h"
#include "daemon/module/worker_services.h"
#include "modules/health/settings.h"

namespace limpet::health {

/// Whether a failed attempt speaks against its replica.
[[nodiscard]] bool is_replica_fault(FailureCause cause) noexcept;
/// Whether a replica's response with that status does.
[[nodiscard]] constexpr bool is_replica_fault(std::uint16_t status) noexcept {
  return status >= 502 && status <= 504;
}

/// One worker's view; the counts are in the vitals, shared by all workers.
/// Thread: its worker.
class Ejector {
 public:
  Ejector(const PassiveSettings& settings, WorkerServices& worker) noexcept
      : settings_(settings), worker_(worker) {}

  void on_good(const Replica& replica) noexcept;
  /// `reason` is static.
  void on_fault(const PoolFacts& pool, const Replica& replica, std::string_view reason);

 private:
  /// Vitals::passive_window in parts.
  struct Window {
    std::uint32_t started = 0;  ///< of the first failure in the row, in tenths of a second
    std::uint16_t repeats = 0;  ///< ejections so far, until it has been good for long
    std::uint16_t failures = 0;
    [[nodiscard]] static Window of(std::uint64_t packed) noexcept;
    [[nodiscard]] std::uint64_t packed() const noexcept;
  };
  [[nodiscard]] bool may_eject(const PoolFacts& pool) const noexcept;
  void eject(const PoolFacts& pool, const Replica& replica, std::string_view reason);

  const PassiveSettings& settings_;
  WorkerServices& worker_;
};

}  // namespace limpet::health
