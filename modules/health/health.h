// SPDX-License-Identifier: Apache-2.0
#pragma once
// Health: the module that says which replicas are fit: by probes (probe_judge.h) and by what live
// traffic meets (ejection.h). The two are kept apart: a probe never ends an ejection, and the cap
// on ejections never shields a replica that fails its probes.

#include "daemon/module/module.h"

namespace limpet {

/// The row of `health` in modules/registry.cc.
extern const ModuleKind kHealth;

}  // namespace limpet
