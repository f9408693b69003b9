// SPDX-License-Identifier: Apache-2.0
// The replicas behind every proxy of the bench: several listeners of one thread, each naming itself
// in X-Replica (s0, s1, ...).
//
//   replica COUNT        prints the ports on one line
//
//   GET /128, /b/1048576                  a body of that many bytes
//   GET /sse?interval=100&size=200        an event of `size` bytes each `interval` ms; interval 0:
//                                         one event, then silence
// An event is "data: MONOTONIC_NS xxxx!": the stamp lets the reader tell the delay, and the
// exclamation mark, which comes once, lets it count events however they were cut on the way.

#include <algorithm>
#include <charconv>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/src/socket.h"

namespace limpet::bench {
namespace {

using std::chrono::milliseconds;

constexpr size_t kBlockBytes = 256 * 1024;
constexpr size_t kHeadBytesMax = 16 * 1024;
const std::string kBlock(kBlockBytes, 'x');

struct Connection {
  bool is_open = false;
  size_t replica = 0;
  uint64_t stream = 0;  // serial of its event stream; 0: none
  milliseconds interval{0};
  size_t event_bytes = 0;
  std::string head;            // of the request, as far as it came
  std::string unsent;          // of the response
  size_t body_bytes_left = 0;  // sent from kBlock after `unsent`
};

struct Due {
  Clock::time_point at;
  int fd;
  uint64_t stream;
  bool operator<(const Due& other) const { return at > other.at; }  // the queue's top is the first
};

size_t number_at(std::string_view text) {
  size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

size_t query_number(std::string_view path, std::string_view key, size_t otherwise) {
  const size_t at = path.find(key);
  return at == std::string_view::npos ? otherwise : number_at(path.substr(at + key.size()));
}

class Replicas {
 public:
  explicit Replicas(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      listeners_.push_back(listen_on(0));
      poller_.watch(listeners_.back(), EPOLLIN);
      std::printf(i + 1 < count ? "%d " : "%d\n", port_of(listeners_.back()));
    }
    std::fflush(stdout);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : poller_.wait(until_due()))
        on_event(event);
      send_due_events();
    }
  }

 private:
  Connection& connection(int fd) { return connections_[static_cast<size_t>(fd)]; }

  milliseconds until_due() const {
    if (due_.empty()) return milliseconds(-1);
    const auto left = due_.top().at - Clock::now();
    return std::max(std::chrono::ceil<milliseconds>(left), milliseconds(0));
  }

  void on_event(const epoll_event& event) {
    const int fd = event.data.fd;
    const auto listener = std::find(listeners_.begin(), listeners_.end(), fd);
    if (listener != listeners_.end()) {
      return on_accept(fd, static_cast<size_t>(listener - listeners_.begin()));
    }
    if ((event.events & EPOLLOUT) != 0 && connection(fd).is_open) on_writable(fd);
    if ((event.events & ~uint32_t{EPOLLOUT}) != 0 && connection(fd).is_open) on_readable(fd);
  }

  void on_accept(int listener, size_t replica) {
    for (int fd; (fd = accept_from(listener)) >= 0;) {
      if (connections_.size() <= static_cast<size_t>(fd)) {
        connections_.resize(static_cast<size_t>(fd) + 1);
      }
      connection(fd) = Connection{};
      connection(fd).is_open = true;
      connection(fd).replica = replica;
      poller_.watch(fd, EPOLLIN);
    }
  }

  void on_readable(int fd) {
    Connection& c = connection(fd);
    const ssize_t received = recv(fd, buffer_.data(), buffer_.size(), 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0 || c.head.size() > kHeadBytesMax) return end(fd);
    c.head.append(buffer_.data(), static_cast<size_t>(received));
    for (size_t at; c.is_open && (at = c.head.find("\r\n\r\n")) != std::string::npos;) {
      on_request(fd, c);
      c.head.erase(0, at + 4);
    }
  }

  void on_request(int fd, Connection& c) {
    const std::string_view head = c.head;
    const size_t start = head.find(' ') + 1;
    const std::string_view path = head.substr(start, head.find(' ', start) - start);
    c.unsent += "HTTP/1.1 200 OK\r\nX-Replica: s" + std::to_string(c.replica);
    if (path.starts_with("/sse")) {
      c.unsent +=
          "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
          "Transfer-Encoding: chunked\r\n\r\n";
      begin_stream(fd, c, path);
    } else {
      const size_t body_bytes = number_at(path.substr(path.rfind('/') + 1));
      c.unsent += "\r\nContent-Type: application/octet-stream\r\nContent-Length: " +
                  std::to_string(body_bytes) + "\r\n\r\n";
      const size_t with_head = std::min(body_bytes, kHeadBytesMax);
      c.unsent.append(kBlock, 0, with_head);
      c.body_bytes_left = body_bytes - with_head;
    }
    flush(fd, c);
  }

  // The first event goes with the head; the later ones of all streams are spread evenly over the
  // interval, however close together the streams began.
  void begin_stream(int fd, Connection& c, std::string_view path) {
    c.stream = ++streams_;
    c.interval = milliseconds(query_number(path, "interval=", 100));
    c.event_bytes = std::max<size_t>(query_number(path, "size=", 200), 32);
    append_event(c);
    if (c.interval == milliseconds(0)) return;
    constexpr auto kGolden = 0.618033988749895;
    const double phase = static_cast<double>(c.stream) * kGolden;
    const auto offset = std::chrono::duration_cast<Clock::duration>(
        c.interval * (phase - static_cast<double>(static_cast<uint64_t>(phase))));
    due_.push({Clock::now() + offset, fd, c.stream});
  }

  static void append_event(Connection& c) {
    const auto now = Clock::now().time_since_epoch();
    char start[64];
    const int size = std::snprintf(start, sizeof start, "%zx\r\ndata: %019lld ", c.event_bytes,
                                   static_cast<long long>(std::chrono::nanoseconds(now).count()));
    c.unsent.append(start, static_cast<size_t>(size));
    constexpr size_t kFramingBytes = 6 + 19 + 1 + 3;  // "data: ", stamp, space, "!\n\n"
    c.unsent.append(kBlock, 0, c.event_bytes - kFramingBytes);
    c.unsent += "!\n\n\r\n";
  }

  void send_due_events() {
    const auto now = Clock::now();
    while (!due_.empty() && due_.top().at <= now) {
      Due due = due_.top();
      due_.pop();
      Connection& c = connection(due.fd);
      if (!c.is_open || c.stream != due.stream) continue;
      if (c.unsent.empty()) {  // else the reader is behind, and misses this event
        append_event(c);
        flush(due.fd, c);
      }
      due.at += c.interval;
      due_.push(due);
    }
  }

  void on_writable(int fd) {
    flush(fd, connection(fd));
    if (!is_waiting(connection(fd)) && connection(fd).is_open) poller_.change(fd, EPOLLIN);
  }

  static bool is_waiting(const Connection& c) { return !c.unsent.empty() || c.body_bytes_left > 0; }

  void flush(int fd, Connection& c) {
    while (is_waiting(c)) {
      const bool is_block = c.unsent.empty();
      const size_t size = is_block ? std::min(c.body_bytes_left, kBlockBytes) : c.unsent.size();
      const ssize_t sent = send(fd, is_block ? kBlock.data() : c.unsent.data(), size, MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return poller_.change(fd, EPOLLIN | EPOLLOUT);
      if (sent < 0) return end(fd);
      if (is_block) {
        c.body_bytes_left -= static_cast<size_t>(sent);
      } else {
        c.unsent.erase(0, static_cast<size_t>(sent));
      }
    }
  }

  void end(int fd) {
    connection(fd) = Connection{};
    close(fd);
  }

  Poller poller_;
  std::vector<int> listeners_;
  std::vector<Connection> connections_;  // by descriptor
  std::priority_queue<Due> due_;
  uint64_t streams_ = 0;
  std::vector<char> buffer_ = std::vector<char>(kHeadBytesMax);
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  const int count = argc == 2 ? std::atoi(argv[1]) : 0;
  if (count < 1) {
    std::fprintf(stderr, "usage: replica COUNT\n");
    return 2;
  }
  limpet::bench::lift_descriptor_limit();
  limpet::bench::Replicas(static_cast<size_t>(count)).run();
}
