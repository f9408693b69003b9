// SPDX-License-Identifier: Apache-2.0
#pragma once
// Control: the control socket that limpetctl speaks to: HTTP and JSON on a Unix socket, for root,
// the daemon's own user and the members of the socket's group. Neighbours: views.h shows,
// process.h acts.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "daemon/base/fd.h"
#include "daemon/control/http_service.h"
#include "daemon/control/process.h"

namespace limpet::control {

/// The control socket.
///
///   GET  /v1/status  /v1/pools  /v1/replicas[?pool=P]  /v1/config[?path=pool.web]
///   POST /v1/reload
///   POST /v1/replicas/POOL/ID/drain|ready|down[?wait_seconds=N]   POOL "-": all that have it
///   POST /v1/pools/POOL/affinity/sticky|none
///   POST /v1/explain   {"kind": …, "name": …, "value": …, "pool": …}
///
/// Thread: main.
class Control {
 public:
  Control(Loop& loop, Process& process);
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;
  ~Control() { close(); }

  /// Serves on an open socket, whose file is `path`.
  void listen(Fd listening, const std::string& path);
  /// Answers those who wait for a replica to be drained; once a second.
  void tick();
  /// Removes the socket's file.
  void close();
  /// How many wait for a replica to be drained.
  [[nodiscard]] std::size_t waiters() const noexcept { return waiters_.size(); }

  void answer(const Request& request, const Reply& reply);

 private:
  /// Somebody who waits until a replica has nothing left.
  struct Waiter {
    std::string pool;
    std::string id;
    Instant until;
    Reply reply;
    std::function<bool()> is_gone;  ///< of the request
  };
  [[nodiscard]] bool may_enter(int descriptor) const;
  void show(const std::vector<std::string>& words, const Request& request, const Reply& reply);
  void act(const std::vector<std::string>& words, const Request& request, const Reply& reply);
  void set_state(const std::vector<std::string>& words, const Request& request, const Reply& reply);
  void set_affinity(const std::vector<std::string>& words, const Reply& reply);
  void reload(const Reply& reply);
  void explain(const Request& request, const Reply& reply);

  Process& process_;
  std::string path_;
  std::vector<Waiter> waiters_;
  HttpService service_;
};

/// Whether the other end of a Unix socket may use the control socket at `path`: root, this
/// process's user, or a member of the group that the file belongs to.
[[nodiscard]] bool is_admitted(int descriptor, const std::string& path);

}  // namespace limpet::control
