// SPDX-License-Identifier: Apache-2.0
#include "modules/registry.h"

#include <array>

#include "modules/access_log/access_log.h"
#include "modules/affinity/affinity.h"
#include "modules/balance/balance.h"
#include "modules/examples/greeting.h"
#include "modules/headers/headers.h"
#include "modules/health/health.h"
#include "modules/mcp/mcp.h"
#include "modules/metrics/metrics.h"
#include "modules/request_id/request_id.h"
#include "modules/retry/retry.h"

namespace limpet {

std::span<const ModuleKind> built_in_modules() noexcept {
  static const std::array kinds = {kRequestId, kHeaders, kMcp,     kAffinity,  kBalance,
                                   kHealth,    kRetry,   kMetrics, kAccessLog, kGreeting};
  return kinds;
}

}  // namespace limpet
