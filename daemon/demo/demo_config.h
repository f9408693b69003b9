// SPDX-License-Identifier: Apache-2.0
#pragma once
// DemoPlan: where the demo listens and keeps its few files, the configuration that follows from it,
// and the words a person reads when it is up. Nothing is started here: demo_replicas.h starts
// replicas, the supervisor starts limpet with demo_config().

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/demo/demo_replicas.h"

namespace limpet::demo {

/// The places of one demo. LIMPET_PORT and LIMPET_ADMIN_PORT in the environment choose other ports,
/// so that two demos run side by side.
struct DemoPlan {
  std::uint16_t port = 8080;
  std::uint16_t admin_port = 9180;
  std::string state_dir;       ///< of this user, of this port
  std::string control_socket;  ///< in state_dir

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port); }
  [[nodiscard]] std::string admin_address() const {
    return "127.0.0.1:" + std::to_string(admin_port);
  }
};

/// Reads the environment, makes the state directory and checks that both ports are free.
/// Errors: a port that is no port or in use, with the way out; a directory that cannot be trusted.
[[nodiscard]] Result<DemoPlan> plan_demo();

/// The configuration of the demo as TOML, as a person could have written it.
[[nodiscard]] std::string demo_config(const DemoPlan& plan,
                                      const std::vector<DemoReplica>& replicas);

/// What to print once the demo is up: where it is and what to try.
[[nodiscard]] std::string demo_banner(const DemoPlan& plan,
                                      const std::vector<DemoReplica>& replicas);

/// What to print when the demo's address cannot be had, with the way out.
[[nodiscard]] std::string port_in_use_text(const std::string& address, const std::string& variable);

}  // namespace limpet::demo
