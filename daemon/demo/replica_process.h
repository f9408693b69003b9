// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process of one sample replica: accepts connections and gives each a thread. It knows nothing
// of limpet. Neighbours: demo_replicas.h starts these processes, connection.h serves.

#include <string>

namespace limpet::demo {

/// Serves until SIGTERM or SIGINT, or until standard input ends: it is a pipe that whoever started
/// this process holds open and never writes to, so that no death of his, however sudden, leaves
/// this process behind. Ends the process.
/// Owns: the listening socket.
/// Thread: the only one of its process when called.
[[noreturn]] void run_demo_replica(const std::string& id, int listening_fd);

}  // namespace limpet::demo
