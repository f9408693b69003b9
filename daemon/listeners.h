// SPDX-License-Identifier: Apache-2.0
#pragma once
// Listeners: the listening sockets of a configuration, opened before privileges go, one for each
// worker and bind. It opens and hands out; workers accept. Sockets of systemd and of the file
// system are one, shared by the workers.

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/fd.h"
#include "daemon/config/load.h"
#include "daemon/notify.h"
#include "daemon/proxy/worker.h"

namespace limpet {

/// A listening socket on an address that nobody else may have, not even this user's other programs.
/// Errors: as open_listening().
[[nodiscard]] Result<Fd> open_alone(const Address& address);

/// The sockets of all workers.
/// Thread: main.
class Listeners {
 public:
  explicit Listeners(std::size_t workers) : workers_(workers) {}
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;
  ~Listeners();  ///< removes the files of its Unix sockets

  /// Takes what systemd passed, at start.
  void take_passed(std::vector<notify::PassedSocket> passed);

  /// Opens what the configuration wants and nobody has yet; each failure is a mistake at its bind.
  /// A bind of which something is said already is left alone.
  void open(Config& config);
  /// Forgets what open() opened since the last commit: the configuration was refused.
  void abandon();
  /// The configuration is in force: the sockets for each worker, to be handed to Worker::adopt().
  [[nodiscard]] std::vector<std::vector<WorkerSocket>> commit(const Model& model);

  /// Where a bind really listens: the port of "127.0.0.1:0" is known afterwards.
  [[nodiscard]] std::string where(const BindModel& bind) const;

 private:
  /// One bind that is open, with the sockets that no worker has yet.
  struct Open {
    Address address;
    std::vector<Fd> waiting;  ///< one a worker; empty once they are handed out
  };
  [[nodiscard]] Status open_bind(const BindModel& bind, Open& out) const;
  [[nodiscard]] Status open_passed(const BindModel& bind, Open& out) const;
  [[nodiscard]] bool is_own_port(const Address& address) const;

  std::size_t workers_;
  std::vector<notify::PassedSocket> passed_;
  std::map<std::string, Open> open_;  ///< by BindModel::text
  std::set<std::string> fresh_;       ///< of open_, since the last commit
};

}  // namespace limpet
