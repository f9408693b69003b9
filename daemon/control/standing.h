// SPDX-License-Identifier: Apache-2.0
#pragma once
// Standing of a replica in words and numbers, for views.h and gauges.h.

#include <array>
#include <cstdint>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/module/replica.h"

namespace limpet::control {

/// The states that operators give, in the order of AdminState.
inline constexpr std::array<std::string_view, 3> kStates = {"ready", "drain", "down"};

/// One replica at one moment.
struct ReplicaStanding {
  AdminState admin = AdminState::kReady;
  std::string_view health;  ///< up, down, unproven, ejected
  bool is_up = false;       ///< takes requests of some kind
  std::uint32_t in_flight = 0;
  std::uint32_t queued = 0;
  std::uint32_t connections = 0;
  std::uint32_t sessions = 0;
  std::uint32_t latency_us = 0;  ///< the mean of the workers that know something
};

[[nodiscard]] ReplicaStanding standing_of(const Replica& replica, Instant now, WallSeconds wall);

}  // namespace limpet::control
