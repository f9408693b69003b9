// SPDX-License-Identifier: Apache-2.0
#pragma once
// Turns: runs a loop on the test's own thread until something holds, and a socket whose other end
// the loop serves. For tests of what lives on the main loop.

#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>

#include <sys/socket.h>

#include "daemon/base/address.h"
#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/event/loop.h"
#include "daemon/net/socket.h"

namespace limpet::test {

/// Keeps a loop from sleeping.
class Pulse final : public Errand {
 public:
  explicit Pulse(Loop& loop) : loop_(loop) { loop_.run_soon(*this); }

 private:
  void on_errand() override { loop_.run_soon(*this); }
  Loop& loop_;
};

/// Turns the loop until `holds()`, at most 20 s. False: it never did.
template <typename Condition>
[[nodiscard]] bool turn_until(Loop& loop, Condition&& holds) {
  const Pulse pulse(loop);
  const Instant deadline = monotonic_now() + std::chrono::seconds(20);
  while (!holds()) {
    if (monotonic_now() > deadline) return false;
    loop.turn();
  }
  return true;
}

/// A listening socket on 127.0.0.1 with a port of the kernel's choice.
[[nodiscard]] inline Fd listen_somewhere() {
  auto opened = open_listening(Address::parse("127.0.0.1:0").value());
  return opened ? std::move(*opened) : Fd();
}

/// The client's end of a connection that the loop serves.
class Caller {
 public:
  Caller(Loop& loop, const Address& address) : loop_(loop) {
    int reason = 0;
    fd_ = begin_connect(address, reason);
  }
  /// Sends all of `bytes`.
  bool say(std::string_view bytes) {
    return turn_until(loop_, [&] {
      const ssize_t sent = ::send(fd_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      return bytes.empty();
    });
  }
  /// Reads until `end` has come, or the connection's end; everything read so far.
  const std::string& hear(std::string_view end) {
    static_cast<void>(turn_until(loop_, [&] {
      char bytes[4096];
      const ssize_t got = ::recv(fd_.number(), bytes, sizeof bytes, 0);
      if (got > 0) heard.append(bytes, static_cast<std::size_t>(got));
      is_over = got == 0 || (got < 0 && errno == ECONNRESET);
      return is_over || heard.find(end) != std::string::npos;
    }));
    return heard;
  }
  void shut_down() { ::shutdown(fd_.number(), SHUT_WR); }
  void hang_up() { fd_.reset(); }

  std::string heard;
  bool is_over = false;

 private:
  Loop& loop_;
  Fd fd_;
};

}  // namespace limpet::test
