// SPDX-License-Identifier: Apache-2.0
#pragma once
// Gauges: the metrics that are computed at a scrape from vitals and facts, beside those that
// workers count.

#include <vector>

#include "daemon/control/process.h"
#include "daemon/metrics/exposition.h"

namespace limpet::control {

/// limpet_replica_*, limpet_config_*, limpet_worker_* and the like.
[[nodiscard]] std::vector<Sample> gauges(const Process& process);

}  // namespace limpet::control
