// SPDX-License-Identifier: Apache-2.0
#pragma once
// Request id: the module that gives every request an id which replica, client and log share. Ids
// are for finding things again, they are no secret. An id that comes in is kept only from whom the
// settings trust.

#include "daemon/module/module.h"

namespace limpet {

/// The row of `request_id` in modules/registry.cc.
extern const ModuleKind kRequestId;

}  // namespace limpet
