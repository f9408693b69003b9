// SPDX-License-Identifier: Apache-2.0
// The floor: a relay that parses nothing. One thread, one replica connection per client connection,
// replicas in turn, two receives and two sends per request. No proxy that keeps requests apart can
// do with less, so the bench states every proxy's cost as a multiple of this one's.
//
//   floor [--tls CERT KEY] [--pool] PORT REPLICA_PORT...
//
// --tls puts TLS on the clients' side. --pool keeps a replica connection when its client closes,
// and gives it to another: right only where clients close between exchanges, as handshake loads do.

#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/src/channel.h"

namespace limpet::bench {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;

// What is kept per descriptor, client's or replica's alike.
struct Side {
  Channel channel;
  int peer = -1;
  bool is_client = false;
  size_t turn = 0;     // which of the replicas
  std::string unsent;  // received from the peer, not yet taken by this descriptor
};

struct Options {
  TlsContext tls;
  bool keeps_pool = false;
  uint16_t port = 0;
  std::vector<uint16_t> replica_ports;
};

class Relay {
 public:
  explicit Relay(Options options)
      : options_(std::move(options)),
        listener_(listen_on(options_.port)),
        pools_(options_.replica_ports.size()) {
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
        if ((event.events & ~uint32_t{EPOLLOUT}) == 0) continue;
        if (side(fd).peer >= 0) {
          on_readable(fd);
        } else if (side(fd).channel.fd() == fd) {
          end_pooled(fd);  // it closed, or says what nobody asked
        }
      }
    }
  }

 private:
  Side& side(int fd) { return sides_[static_cast<size_t>(fd)]; }

  void on_accept() {
    for (int client; (client = accept_from(listener_)) >= 0;) {
      const size_t turn = turn_++ % options_.replica_ports.size();
      const int replica = take_replica(turn);
      if (replica < 0) {
        close(client);
        continue;
      }
      const auto size = static_cast<size_t>(std::max(client, replica)) + 1;
      if (sides_.size() < size) sides_.resize(size);
      side(client).channel = Channel(client, options_.tls.get(), Channel::Role::kServer);
      side(client).is_client = true;
      poller_.watch(client, EPOLLIN);
      if (side(replica).channel.fd() != replica) {
        side(replica).channel = Channel(replica, nullptr, Channel::Role::kClient);
        poller_.watch(replica, EPOLLIN);
      }
      side(replica).turn = turn;
      side(client).peer = replica;
      side(replica).peer = client;
    }
  }

  int take_replica(size_t turn) {
    std::vector<int>& pool = pools_[turn];
    if (pool.empty()) return connect_to(options_.replica_ports[turn]);
    const int replica = pool.back();
    pool.pop_back();
    return replica;
  }

  void on_readable(int fd) {
    if (!side(side(fd).peer).unsent.empty()) return close_pair(fd);  // only a hang-up gets here
    do {
      Channel& from = side(fd).channel;
      const ssize_t received = from.receive(buffer_.data(), buffer_.size());
      if (received < 0) return close_pair(fd);
      if (received == 0) return;
      const int peer = side(fd).peer;
      const auto size = static_cast<size_t>(received);
      const ssize_t sent = side(peer).channel.send(buffer_.data(), size);
      if (sent < 0) return close_pair(fd);
      const auto taken = static_cast<size_t>(sent);
      if (taken < size) {
        side(peer).unsent.assign(buffer_.data() + taken, size - taken);
        update(peer);
        return update(fd);
      }
    } while (side(fd).channel.has_more());
  }

  void on_writable(int fd) {
    std::string& unsent = side(fd).unsent;
    const ssize_t sent = side(fd).channel.send(unsent.data(), unsent.size());
    if (sent < 0) return close_pair(fd);
    unsent.erase(0, static_cast<size_t>(sent));
    if (!unsent.empty()) return;
    update(fd);
    update(side(fd).peer);
    if (side(side(fd).peer).channel.has_more()) on_readable(side(fd).peer);
  }

  // Back-pressure: nobody is read whose bytes the peer has not taken.
  void update(int fd) {
    const uint32_t readable = side(side(fd).peer).unsent.empty() ? uint32_t{EPOLLIN} : 0;
    poller_.change(fd, readable | (side(fd).unsent.empty() ? 0 : uint32_t{EPOLLOUT}));
  }

  void close_pair(int fd) {
    const int client = side(fd).is_client ? fd : side(fd).peer;
    const int replica = side(client).peer;
    const bool is_kept = options_.keeps_pool && fd == client && side(client).unsent.empty() &&
                         side(replica).unsent.empty();
    end(client);
    if (!is_kept) return end(replica);
    side(replica).peer = -1;
    pools_[side(replica).turn].push_back(replica);
  }

  void end_pooled(int fd) {
    std::erase(pools_[side(fd).turn], fd);
    end(fd);
  }

  void end(int fd) {
    side(fd).channel.close();
    side(fd) = Side{};
  }

  Options options_;
  Poller poller_;
  int listener_;
  std::vector<std::vector<int>> pools_;  // by replica
  size_t turn_ = 0;
  std::vector<Side> sides_;  // by descriptor
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
};

Options read_options(int argc, char** argv) {
  Options options;
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    if (std::string_view(argv[i]) == "--pool") {
      options.keeps_pool = true;
    } else if (std::string_view(argv[i]) == "--tls" && i + 2 < argc) {
      options.tls = server_context(argv[i + 1], argv[i + 2], kAlpnHttp1);
      i += 2;
    } else {
      break;
    }
  }
  if (argc < i + 2 || argv[i][0] == '-') {
    std::fprintf(stderr, "usage: floor [--tls CERT KEY] [--pool] PORT REPLICA_PORT...\n");
    std::exit(2);
  }
  options.port = static_cast<uint16_t>(std::atoi(argv[i++]));
  for (; i < argc; ++i)
    options.replica_ports.push_back(static_cast<uint16_t>(std::atoi(argv[i])));
  return options;
}

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  limpet::bench::lift_descriptor_limit();
  limpet::bench::Relay(limpet::bench::read_options(argc, argv)).run();
}
