// SPDX-License-Identifier: Apache-2.0
#pragma once
// Retry: the module that lets a failed attempt be repeated on another replica: which failures, how
// often, and how many at a time. What may be repeated at all is the relay's to say (Repeat); where
// it goes is decided by select, never the same replica.

#include "daemon/module/module.h"

namespace limpet {

/// The row of `retry` in modules/registry.cc.
extern const ModuleKind kRetry;

}  // namespace limpet
