// SPDX-License-Identifier: Apache-2.0
#pragma once
// Views: what the process looks like, as JSON: status, pools, replicas. The admin listener, the
// dashboard and limpetctl read the same. Computed at each question; nothing is kept.

#include <string>

#include "daemon/control/process.h"

namespace limpet::control {

/// The process, its workers, and every pool with its replicas.
[[nodiscard]] std::string status_json(const Process& process);
/// The pools, without their replicas.
[[nodiscard]] std::string pools_json(const Process& process);
/// The replicas of all pools, or of the one named.
[[nodiscard]] std::string replicas_json(const Process& process, const std::string& pool = {});
/// {"error": text}
[[nodiscard]] std::string error_json(const std::string& text);

}  // namespace limpet::control
