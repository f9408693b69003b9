// SPDX-License-Identifier: Apache-2.0
#pragma once
// The mcp module: carries sessions of MCP servers over to another replica when theirs is gone, says
// honestly when it cannot, and keeps their event streams alive. This is its row for
// modules/registry.cc; the plan is mcp.cc, the work mcp_module.h. Tokens and session ids are
// affinity's.

#include "daemon/module/module.h"

namespace limpet {

/// "mcp": reads [pool.NAME.mcp].
extern const ModuleKind kMcp;

}  // namespace limpet
