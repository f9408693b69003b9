// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process of one sample replica: accepts connections and gives each a thread. It knows nothing
// of limpet. Neighbours: demo_replicas.h starts these processes, connection.h serves.

#include <string>

namespace limpet::demo {

/// Serves until SIGTERM or SIGINT, or until the thread that started this process ends.
/// Owns: the listening socket. Returns the exit status.
/// Thread: the only one of its process when called.
int run_demo_replica(const std::string& id, int listening_fd);

}  // namespace limpet::demo
