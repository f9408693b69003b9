// SPDX-License-Identifier: Apache-2.0
#pragma once
// Parse: from the bytes of one file to a tree of Nodes. The only room that sees toml++.

#include <cstdint>
#include <optional>

#include "daemon/config/mistakes.h"
#include "daemon/config/node.h"
#include "daemon/config/source.h"

namespace limpet {

/// Reads one file of `sources`, with ${NAME} replaced in its texts.
/// Errors: a syntax error gives nothing and one mistake, since TOML cannot be read on behind it;
/// what is wrong with single values becomes mistakes beside the tree.
[[nodiscard]] std::optional<Node> parse_toml(const Sources& sources, std::uint32_t file,
                                             Mistakes& mistakes);

}  // namespace limpet
