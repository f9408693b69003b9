// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/socket.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace limpet {

namespace {

void switch_on(int descriptor, int level, int option) noexcept {
  const int on = 1;
  // An option that a kernel lacks costs speed, not correctness.
  if (::setsockopt(descriptor, level, option, &on, sizeof on) != 0) return;
}

void set_number(int descriptor, int option, int value) noexcept {
  if (::setsockopt(descriptor, IPPROTO_TCP, option, &value, sizeof value) != 0) return;
}

Error bind_error(const Address& address, int reason) {
  std::string text = "cannot listen on " + address.print() + ": ";
  if (reason == EADDRINUSE) {
    return {text +
            "the address is in use by another program; stop that one or choose another port"};
  }
  if (reason == EACCES) {
    return {text + "no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE"};
  }
  if (reason == EADDRNOTAVAIL) return {text + "this machine does not have that address"};
  return {text + std::strerror(reason)};
}

// A socket file that a dead process left is removed; one that somebody listens on is not.
void remove_stale_socket(const Address& address) noexcept {
  const std::string path = address.unix_path();
  struct stat facts {};
  if (path.empty() || path.front() == '@' || ::stat(path.c_str(), &facts) != 0 ||
      !S_ISSOCK(facts.st_mode))
    return;
  const Fd asking(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(asking.number(), address.as_sockaddr(), address.length()) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(path.c_str());
  }
}

}  // namespace

Result<Fd> open_listening(const Address& address, int backlog) {
  if (address.is_unix()) remove_stale_socket(address);
  Fd fd(::socket(address.as_sockaddr()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return bind_error(address, errno);
  if (address.is_ip()) {
    switch_on(fd.number(), SOL_SOCKET, SO_REUSEADDR);
    switch_on(fd.number(), SOL_SOCKET, SO_REUSEPORT);
    if (address.family() == Family::kIp6) switch_on(fd.number(), IPPROTO_IPV6, IPV6_V6ONLY);
    switch_on(fd.number(), IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit this and the next
    keep_alive(fd.number());
  }
  if (::bind(fd.number(), address.as_sockaddr(), address.length()) != 0)
    return bind_error(address, errno);
  if (::listen(fd.number(), backlog) != 0) return bind_error(address, errno);
  return fd;
}

void keep_alive(int descriptor) noexcept {
  switch_on(descriptor, SOL_SOCKET, SO_KEEPALIVE);
  set_number(descriptor, TCP_KEEPIDLE, static_cast<int>(kKeepAliveIdle.count()));
  set_number(descriptor, TCP_KEEPINTVL, 15);
  set_number(descriptor, TCP_KEEPCNT, 4);
}

Fd accept_connection(int listening, Address& peer) noexcept {
  sockaddr_storage raw{};
  socklen_t length = sizeof raw;
  auto* generic = reinterpret_cast<sockaddr*>(&raw);
  Fd fd(::accept4(listening, generic, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.is_open()) peer = Address::from_sockaddr(generic, length).unmapped();
  return fd;
}

Fd begin_connect(const Address& address, int& errno_out) noexcept {
  Fd fd(::socket(address.as_sockaddr()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) {
    errno_out = errno;
    return fd;
  }
  if (address.is_ip()) switch_on(fd.number(), IPPROTO_TCP, TCP_NODELAY);
  errno_out = ::connect(fd.number(), address.as_sockaddr(), address.length()) == 0 ? 0 : errno;
  if (errno_out != 0 && errno_out != EINPROGRESS) fd.reset();
  return fd;
}

int connect_result(int descriptor) noexcept {
  int reason = 0;
  socklen_t length = sizeof reason;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &reason, &length) != 0) return errno;
  return reason;
}

Address local_address(int descriptor) noexcept {
  sockaddr_storage raw{};
  socklen_t length = sizeof raw;
  auto* generic = reinterpret_cast<sockaddr*>(&raw);
  if (::getsockname(descriptor, generic, &length) != 0) return {};
  return Address::from_sockaddr(generic, length);
}

}  // namespace limpet
