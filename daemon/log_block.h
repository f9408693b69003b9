// SPDX-License-Identifier: Apache-2.0
#pragma once
// log_block: a text of several lines, such as the mistakes of a file, as log lines in a row.

#include <string_view>

#include "daemon/base/log.h"
#include "daemon/base/text.h"

namespace limpet {

/// Writes `heading`, then each line of `lines` as a message of its own.
inline void log_block(log::Level level, std::string_view heading, std::string_view lines) {
  log::write(level, heading);
  while (!lines.empty()) {
    const std::string_view line = text::cut(lines, '\n');
    if (!line.empty()) log::write(level, line);
  }
}

}  // namespace limpet
