// SPDX-License-Identifier: Apache-2.0
#pragma once
// Headers: the module that sets, adds and removes fields of requests on their way to the replica
// and of responses on their way to the client, and tells the replica whose certificate the client
// has. Fields that frame the message or belong to one connection are limpet's own and cannot be
// named.

#include "daemon/module/module.h"

namespace limpet {

/// The row of `headers` in modules/registry.cc.
extern const ModuleKind kHeaders;

}  // namespace limpet
