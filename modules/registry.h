// SPDX-License-Identifier: Apache-2.0
#pragma once
// The table of built-in modules: the only place, with main.cc, that knows which modules exist. A
// module is listed here, not self-registered, so that the list can be read.

#include <span>

#include "daemon/module/module.h"

namespace limpet {

/// Every module of this build.
[[nodiscard]] std::span<const ModuleKind> built_in_modules() noexcept;

}  // namespace limpet
