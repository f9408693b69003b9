// SPDX-License-Identifier: Apache-2.0
#pragma once
// Notify: what limpetd tells systemd and takes from it: readiness, status, the watchdog, sockets
// passed by name. libsystemd's only home. Without systemd each call does nothing.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"

namespace limpet::notify {

/// The daemon serves.
void ready(const std::string& status);
/// A reload begins; ready() ends it.
void reloading();
/// The daemon is going down.
void stopping(const std::string& status);
/// One line for `systemctl status`.
void status(const std::string& text);
/// All workers turn.
void alive();
/// How often alive() is expected, or kForever where nobody expects it.
[[nodiscard]] Duration watchdog_interval();

/// A socket from LISTEN_FDS with its name of LISTEN_FDNAMES.
struct PassedSocket {
  std::string name;
  Fd fd;
};
/// Takes the sockets that systemd passed, once.
[[nodiscard]] std::vector<PassedSocket> take_passed_sockets();

}  // namespace limpet::notify
