// SPDX-License-Identifier: Apache-2.0
#pragma once
// Check: `limpetd --check` and `--dump`: a configuration read and built for nobody to serve.

#include <span>

#include "daemon/module/module.h"
#include "daemon/options.h"

namespace limpet {

/// Shows every mistake of the file; 0, or 1 where there are some.
[[nodiscard]] int check_config(const Options& options, std::span<const ModuleKind> kinds);
/// Prints the file with every default; 1 and the mistakes where it has some.
[[nodiscard]] int dump_config(const Options& options, std::span<const ModuleKind> kinds);

}  // namespace limpet
