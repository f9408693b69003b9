// SPDX-License-Identifier: Apache-2.0
#pragma once
// BalanceSettings: [pool.X.balance] as read and checked. No behaviour: balance.cc and the policies
// have that.

#include <cstdint>

#include "daemon/base/clock.h"
#include "daemon/config/reader.h"
#include "modules/balance/hash_key.h"

namespace limpet::balance {

enum class BalancePolicy : std::uint8_t {
  kTwoChoices,
  kLeastRequests,
  kSessions,
  kRoundRobin,
  kRandom,
  kHash
};

/// The settings of one pool.
struct BalanceSettings {
  BalancePolicy policy = BalancePolicy::kTwoChoices;
  HashKey hash_key;                ///< of kHash
  Duration slow_start{0};          ///< 0 = none
  std::uint32_t requests_max = 0;  ///< per replica, in flight; 0 = no limit
  std::uint32_t sessions_max = 0;  ///< per replica; 0 = no limit
  std::uint32_t queue_max = 0;
  Duration queue_timeout{0};
  std::uint32_t panic_threshold_percent = 0;

  /// Whether sessions of replicas have to be counted.
  [[nodiscard]] bool counts_sessions() const noexcept {
    return sessions_max > 0 || policy == BalancePolicy::kSessions;
  }
};

/// Reads the table; mistakes are reported through the reader.
[[nodiscard]] BalanceSettings read_balance_settings(const ConfigReader& reader);

}  // namespace limpet::balance
