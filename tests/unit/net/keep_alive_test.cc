// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/keep_alive.h"

#include <chrono>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

int option(const Fd& fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(::getsockopt(fd.number(), level, name, &value, &length) == 0);
  return value;
}

bool is_kept_alive(const Fd& fd) { return option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1; }

Fd tcp_socket() { return Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

constexpr Instant kStart{std::chrono::hours(1)};

}  // namespace

TEST_CASE("keep-alive: the options come when the connection has lasted, and not before") {
  const Fd fd = tcp_socket();
  TimerWheel wheel(kStart);
  KeepAlive keep_alive;
  keep_alive.start(wheel, kStart, fd.number());
  wheel.fire(kStart + KeepAlive::kAfter - TimerWheel::kTick);
  CHECK_FALSE(is_kept_alive(fd));
  wheel.fire(kStart + KeepAlive::kAfter + 2 * TimerWheel::kTick);
  CHECK(is_kept_alive(fd));
  CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == kKeepAliveIdle.count());
  // Idle time and lost questions together: a peer that vanished is found out in two minutes.
  CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
            option(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option(fd, IPPROTO_TCP, TCP_KEEPCNT) <=
        120);
}

TEST_CASE("keep-alive: what was stopped touches no descriptor") {
  const Fd fd = tcp_socket();
  TimerWheel wheel(kStart);
  KeepAlive keep_alive;
  keep_alive.start(wheel, kStart, fd.number());
  keep_alive.stop();
  wheel.fire(kStart + 2 * KeepAlive::kAfter);
  CHECK_FALSE(is_kept_alive(fd));
}
