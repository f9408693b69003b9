// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/legacy_part.h"
#include "modules/mcp/listen_part.h"
#include "modules/mcp/modern_part.h"
#include "modules/mcp/part.h"

namespace limpet::mcp {

// A stream of notices is a modern request as well: it is asked for first.
std::vector<std::unique_ptr<Part>> make_parts(const PartContext& context) {
  std::vector<std::unique_ptr<Part>> parts;
  parts.push_back(std::make_unique<ListenPart>(context));
  parts.push_back(std::make_unique<ModernPart>(context));
  parts.push_back(std::make_unique<LegacyPart>(context));
  return parts;
}

}  // namespace limpet::mcp
