// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads [pool.NAME.affinity] and what belongs to it ([keys], [pool.NAME.mcp]) into
// AffinitySettings. Every mistake is reported through the reader; reading always goes on to the
// end, so that one run shows all.

#include "modules/affinity/affinity_plan.h"

namespace limpet::affinity {

/// The settings; to be thrown away where the reader holds mistakes afterwards.
[[nodiscard]] AffinitySettings read_settings(const ConfigReader& reader,
                                             const PlanContext& context);

}  // namespace limpet::affinity
