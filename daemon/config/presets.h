// SPDX-License-Identifier: Apache-2.0
#pragma once
// Presets: named defaults for the tables of a pool, as the TOML that an operator could have
// written. A preset lies beneath the pool's own table; code defaults lie beneath the preset.

#include <string_view>

#include "daemon/config/model.h"

namespace limpet {

/// The tables that [pool.NAME] stands on under this preset.
[[nodiscard]] std::string_view preset_text(Preset preset) noexcept;

/// "web", "strict", "mcp", "azure".
[[nodiscard]] std::string_view preset_name(Preset preset) noexcept;

}  // namespace limpet
