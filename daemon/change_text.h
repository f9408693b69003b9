// SPDX-License-Identifier: Apache-2.0
#pragma once
// change_text: what one configuration changes against another, in words for the log and for
// limpetctl, and which of it waits for a restart. It compares; it puts nothing in force.

#include <string>
#include <vector>

#include "daemon/config/load.h"
#include "daemon/discovery_file.h"

namespace limpet {

/// One configuration with the replicas that its files named.
struct ConfigView {
  const Config& config;
  const Discovered& lists;
};

/// "pools: 1 added (api); replicas: 2 removed (web/a, web/b)", or "nothing".
[[nodiscard]] std::string describe_change(const ConfigView& before, const ConfigView& after);

/// What is set anew and takes effect at the next start only: "daemon.workers", "admin.bind".
[[nodiscard]] std::vector<std::string> waits_for_restart(const Model& before, const Model& after);

}  // namespace limpet
