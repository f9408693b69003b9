// SPDX-License-Identifier: Apache-2.0
#pragma once
// Balance: the module that picks a replica for a request that affinity leaves open: policy,
// weights, backups, revisions, slow start, caps and the queue. How one policy picks is in a file of
// its own; policy.h lists them.

#include "daemon/module/module.h"

namespace limpet {

/// The row of `balance` in modules/registry.cc.
extern const ModuleKind kBalance;

}  // namespace limpet
