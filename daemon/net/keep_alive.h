// SPDX-License-Identifier: Apache-2.0
#pragma once
// KeepAlive: has the kernel ask whether the other side of a connection still is there, once the
// connection has lasted for a while. A short one needs no asking, and asking costs four calls to
// switch on. Not the deadlines of a request: those are its relay's. Sockets that were accepted have
// the options of their listener (socket.h) instead.

#include "daemon/base/clock.h"
#include "daemon/event/timer.h"
#include "daemon/net/socket.h"

namespace limpet {

/// Switches keep_alive() on for one connection when it is kAfter old.
/// Lifetime: a member of the connection. Thread: its worker.
class KeepAlive final : private Timer::Owner {
 public:
  /// Half of what a silent connection waits for its first question: so it is asked as early as if
  /// the options had been there from the start.
  static constexpr Duration kAfter = kKeepAliveIdle / 2;

  /// For `descriptor`, opened at `now`. stop() is due before it is closed.
  void start(TimerWheel& wheel, Instant now, int descriptor) {
    descriptor_ = descriptor;
    timer_.arm(wheel, now + kAfter);
  }
  void stop() noexcept { timer_.disarm(); }

 private:
  void on_timer(Timer&) override { keep_alive(descriptor_); }

  int descriptor_ = -1;
  Timer timer_{*this};
};

}  // namespace limpet
