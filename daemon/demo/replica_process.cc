// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/replica_process.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <list>
#include <thread>
#include <utility>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "daemon/base/log.h"
#include "daemon/demo/connection.h"

namespace limpet::demo {
namespace {

// One connection and its thread; the acceptor takes it out once it is done.
struct Guest {
  Fd socket;
  std::atomic<bool> is_done{false};
  std::thread thread;
};

// Everybody who is connected. One thread, the acceptor's, uses it, and the process ends without
// asking guests to leave: there is no end of this object.
class Guests {
 public:
  explicit Guests(ReplicaApp& app) : app_(app) {}
  Guests(const Guests&) = delete;
  Guests& operator=(const Guests&) = delete;
  ~Guests() = delete;

  void welcome(Fd socket) {
    see_off();
    Guest& guest = guests_.emplace_back();
    guest.socket = std::move(socket);
    guest.thread = std::thread([this, &guest] {
      Connection(guest.socket, app_).serve();
      ::shutdown(guest.socket.number(), SHUT_RDWR);
      guest.is_done = true;
    });
  }

 private:
  void see_off() {
    guests_.remove_if([](Guest& guest) {
      if (!guest.is_done) return false;
      guest.thread.join();
      return true;
    });
  }

  ReplicaApp& app_;
  std::list<Guest> guests_;
};

// SIGTERM and SIGINT as a descriptor; blocked before there are threads, so that none of them gets
// one.
Fd take_ending_signals() {
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ending, nullptr);
  return Fd(::signalfd(-1, &ending, SFD_CLOEXEC));
}

}  // namespace

void run_demo_replica(const std::string& id, int listening_fd) {
  const Fd listening(listening_fd);
  const Fd signals = take_ending_signals();
  ReplicaApp app(id);
  Guests& guests = *new Guests(app);  // see there: it has no end
  while (true) {
    std::array<pollfd, 3> watched{{{signals.number(), POLLIN, 0},
                                   {STDIN_FILENO, 0, 0},  // an end is told unasked
                                   {listening.number(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[0].revents != 0 || watched[1].revents != 0) std::_Exit(0);
    Fd socket(::accept4(listening.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.is_open()) {
      guests.welcome(std::move(socket));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN) continue;
    log::error("A sample replica cannot accept connections and ends.", {{"replica", id}});
    std::_Exit(1);
  }
}

}  // namespace limpet::demo
