// SPDX-License-Identifier: Apache-2.0
#pragma once
// Dump: the effective configuration as TOML. It prints what was asked for through ConfigReader, so
// it is complete once the modules have read their tables, and it cannot disagree with what was
// read.

#include <string>
#include <string_view>

#include "daemon/config/load.h"

namespace limpet {

/// Every key with its effective value; `# default` behind a value that is the default, `# default:
/// X` behind another. Includes are merged and ${NAME} replaced; loading the dump gives the same
/// dump again.
[[nodiscard]] std::string dump(const Config& config);

/// The part of dump() at a path such as "pool.web", "listener" (all of them), "listener[1]" or
/// "limits.header_fields"; "" where nothing is there.
[[nodiscard]] std::string dump(const Config& config, std::string_view path);

}  // namespace limpet
