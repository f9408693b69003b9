// SPDX-License-Identifier: Apache-2.0
// The floor: a relay that parses nothing. One thread, one replica connection per client connection,
// replicas in turn, two receives and two sends per request. No proxy that keeps requests apart can
// do with less, so the bench states every proxy's cost as a multiple of this one's.
//
//   floor PORT REPLICA_PORT...

#include <string>
#include <vector>

#include "tests/bench/src/socket.h"

namespace limpet::bench {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;

// What is kept per descriptor, client's or replica's alike.
struct Side {
  int peer = -1;
  std::string unsent;  // received from the peer, not yet taken by this descriptor
};

class Relay {
 public:
  Relay(uint16_t port, std::vector<uint16_t> replica_ports)
      : listener_(listen_on(port)), replica_ports_(std::move(replica_ports)) {
    poller_.watch(listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : poller_.wait(std::chrono::milliseconds(-1))) {
        const int fd = event.data.fd;
        if (fd == listener_) {
          on_accept();
          continue;
        }
        // A descriptor closed earlier in this batch may come up again; it then has no peer, or is
        // a new connection's and has nothing to read yet.
        if ((event.events & EPOLLOUT) != 0 && side(fd).peer >= 0) on_writable(fd);
        if ((event.events & ~uint32_t{EPOLLOUT}) != 0 && side(fd).peer >= 0) on_readable(fd);
      }
    }
  }

 private:
  Side& side(int fd) { return sides_[static_cast<size_t>(fd)]; }

  void on_accept() {
    for (int client; (client = accept_from(listener_)) >= 0;) {
      const int replica = connect_to(replica_ports_[turn_++ % replica_ports_.size()]);
      if (replica < 0) {
        close(client);
        continue;
      }
      const auto size = static_cast<size_t>(std::max(client, replica)) + 1;
      if (sides_.size() < size) sides_.resize(size);
      join(client, replica);
      join(replica, client);
    }
  }

  void join(int fd, int peer) {
    side(fd) = Side{peer, {}};
    poller_.watch(fd, EPOLLIN);
  }

  void on_readable(int fd) {
    if (!side(side(fd).peer).unsent.empty()) return close_pair(fd);  // only a hang-up gets here
    const ssize_t received = recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) return close_pair(fd);
    const int peer = side(fd).peer;
    const auto size = static_cast<size_t>(received);
    const ssize_t sent = send(peer, buffer_.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close_pair(fd);
    const auto taken = sent < 0 ? 0 : static_cast<size_t>(sent);
    if (taken == size) return;
    side(peer).unsent.assign(buffer_.data() + taken, size - taken);
    update(peer);
    update(fd);
  }

  void on_writable(int fd) {
    std::string& unsent = side(fd).unsent;
    const ssize_t sent = send(fd, unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return close_pair(fd);
    unsent.erase(0, static_cast<size_t>(sent));
    if (!unsent.empty()) return;
    update(fd);
    update(side(fd).peer);
  }

  // Back-pressure: nobody is read whose bytes the peer has not taken.
  void update(int fd) {
    const uint32_t readable = side(side(fd).peer).unsent.empty() ? uint32_t{EPOLLIN} : 0;
    poller_.change(fd, readable | (side(fd).unsent.empty() ? 0 : uint32_t{EPOLLOUT}));
  }

  void close_pair(int fd) {
    const int peer = side(fd).peer;
    side(fd) = Side{};
    side(peer) = Side{};
    close(fd);
    close(peer);
  }

  Poller poller_;
  int listener_;
  std::vector<uint16_t> replica_ports_;
  size_t turn_ = 0;
  std::vector<Side> sides_;  // by descriptor
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: floor PORT REPLICA_PORT...\n");
    return 2;
  }
  limpet::bench::lift_descriptor_limit();
  std::vector<uint16_t> replica_ports;
  for (int i = 2; i < argc; ++i)
    replica_ports.push_back(static_cast<uint16_t>(std::atoi(argv[i])));
  limpet::bench::Relay(static_cast<uint16_t>(std::atoi(argv[1])), replica_ports).run();
}
