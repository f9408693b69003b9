// SPDX-License-Identifier: Apache-2.0
#pragma once
// Access log: the module that writes one line for each exchange that is done, as JSON or in the
// combined format. It makes the line; a thread of its own writes it (base/line_writer.h), so that
// no request waits for a disk. Its settings are the global [access_log].

#include "daemon/module/module.h"

namespace limpet {

/// The row of `access_log` in modules/registry.cc.
extern const ModuleKind kAccessLog;

}  // namespace limpet
