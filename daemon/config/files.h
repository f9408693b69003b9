// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files: reading configuration files from disk and finding those that `include` names. It does not
// parse.

#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace limpet {

/// The bytes of a file.
/// Errors: what the system says; a file above 64 MiB is refused.
[[nodiscard]] Result<std::string> read_whole_file(const std::string& path);

/// The files that `pattern` matches, relative to the folder of `main_path`, in name order, without
/// the main file itself. A pattern without wildcard names one file, whether it is there or not.
[[nodiscard]] std::vector<std::string> included_files(const std::string& main_path,
                                                      const std::string& pattern);

}  // namespace limpet
