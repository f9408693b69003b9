// SPDX-License-Identifier: Apache-2.0
#pragma once

// Loopback sockets, epoll and the clock, as far as the bench's programs need them.
// Errors end the program: a bench that cannot have its sockets has nothing to say.
// Is not for the daemon, which has rooms of its own for this. Neighbour: channel.h
// above.

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace limpet::bench {

using Clock = std::chrono::steady_clock;

/// Ends the program with the text and the system's error.
[[noreturn]] inline void die(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/// Lifts the soft limit of open descriptors to the hard one.
inline void lift_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

inline sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Listens on 127.0.0.1; port 0 lets the kernel choose. The socket does not block.
inline int listen_on(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
  if (listen(fd, 4096) != 0) die("listen");
  return fd;
}

/// The local port of a socket.
inline uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

/// Accepts one connection that does not block; -1 if none waits.
inline int accept_from(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) set_no_delay(fd);
  return fd;
}

/// Connects to 127.0.0.1, waiting for it; -1 if refused. Sends may wait, so receive with
/// MSG_DONTWAIT.
inline int connect_to(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    return -1;
  }
  set_no_delay(fd);
  return fd;
}

/// A level-triggered epoll set that names its members by descriptor.
class Poller {
 public:
  void watch(int fd, uint32_t events) { control(EPOLL_CTL_ADD, fd, events); }
  void change(int fd, uint32_t events) { control(EPOLL_CTL_MOD, fd, events); }

  /// Waits for events; an empty span after the timeout. A negative timeout waits for ever.
  std::span<const epoll_event> wait(std::chrono::milliseconds timeout) {
    const int count =
        epoll_wait(epoll_, ready_.data(), kReadyMax, static_cast<int>(timeout.count()));
    return {ready_.data(), count > 0 ? static_cast<size_t>(count) : 0};
  }

 private:
  static constexpr int kReadyMax = 256;

  void control(int operation, int fd, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, operation, fd, &event) != 0) die("epoll_ctl");
  }

  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::array<epoll_event, kReadyMax> ready_{};
};

}  // namespace limpet::bench
