// SPDX-License-Identifier: Apache-2.0
#pragma once
// DemoReplicas: the sample replicas of `limpetd --demo`, each its own process, started again a
// second after it died, so that a person can kill one and watch. What they serve is in
// replica_process.h.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"

namespace limpet::demo {

/// The most replicas that --demo=N starts.
inline constexpr unsigned kReplicasMax = 26;

/// One sample replica as it is now.
struct DemoReplica {
  std::string id;  ///< "a", "b", …
  std::uint16_t port = 0;
  pid_t pid = 0;  ///< 0 while it is down
};

/// Keeps sample replicas running and ends them with itself.
/// Owns: the processes and one thread for each.
class DemoReplicas {
 public:
  DemoReplicas();
  DemoReplicas(DemoReplicas&&) noexcept;
  DemoReplicas& operator=(DemoReplicas&&) noexcept;
  ~DemoReplicas();

  /// Id, port and present pid of each. Ids and ports never change.
  /// Thread: any.
  [[nodiscard]] std::vector<DemoReplica> list() const;

 private:
  struct Lifeline;
  class Keeper;
  friend Result<DemoReplicas> start_demo_replicas(unsigned count, const std::string& program);

  std::unique_ptr<Lifeline> lifeline_;  // outlives the keepers
  std::vector<std::unique_ptr<Keeper>> keepers_;
};

/// Starts `count` replicas on ports of 127.0.0.1 that the kernel chooses. Each is `program` run
/// with the internal option `--demo-replica ID:FD`; "/proc/self/exe" is this program. Errors: a
/// socket or a process that cannot be made.
[[nodiscard]] Result<DemoReplicas> start_demo_replicas(
    unsigned count, const std::string& program = "/proc/self/exe");

/// What stands behind `--demo-replica`: "a:3" is replica a on descriptor 3.
struct DemoReplicaOption {
  std::string id;
  int listening_fd = -1;
};
/// Errors: says what the option looks like.
[[nodiscard]] Result<DemoReplicaOption> parse_demo_replica_option(const std::string& text);

}  // namespace limpet::demo
