// SPDX-License-Identifier: Apache-2.0
#pragma once
// Metrics: the module that counts what happened to each exchange, by pool and by replica. What the
// machine itself counts (connections, timeouts, limits) is not here; how numbers become text is in
// daemon/metrics/exposition.h.

#include "daemon/module/module.h"

namespace limpet {

/// The row of `metrics` in modules/registry.cc.
extern const ModuleKind kMetrics;

}  // namespace limpet
