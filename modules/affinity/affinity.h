// SPDX-License-Identifier: Apache-2.0
#pragma once
// The affinity module: brings every request of a session back to the replica that holds it, and
// says what became of each request (outcome and cause). This is its row for modules/registry.cc;
// the plan is affinity_plan.h, the work affinity_module.h.

#include "daemon/module/module.h"

namespace limpet {

/// "affinity": reads [pool.NAME.affinity], [keys] and, for the source mcp, [pool.NAME.mcp].
extern const ModuleKind kAffinity;

}  // namespace limpet
