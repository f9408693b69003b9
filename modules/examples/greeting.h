// SPDX-License-Identifier: Apache-2.0
#pragma once
// Greeting: the example of modules/README.md.

#include "daemon/module/module.h"

namespace limpet {

extern const ModuleKind kGreeting;

}  // namespace limpet
