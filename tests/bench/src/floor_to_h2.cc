// SPDX-License-Identifier: Apache-2.0
// The floor towards HTTP/2 replicas: a relay from HTTP/1.1 clients that only forwards: nghttp2, one
// connection to each replica, replicas in turn, one write per wakeup and replica. It has no routes,
// no timers, no retries and no back-pressure, and takes no request bodies.
//
//   floor_to_h2 PORT REPLICA_PORT...

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/src/h2.h"

namespace limpet::bench {
namespace {

constexpr size_t kHeadBytesMax = 16 * 1024;
constexpr size_t kFieldsMax = 64;

struct Client {
  bool is_open = false;
  bool is_waiting = false;  // for room to send
  uint32_t serial = 1;      // tells the connections of one descriptor apart
  std::string head;         // of the request, as far as it came
  std::string response, unsent;
};

// What an exchange of HTTP/2 is known by: the client's descriptor and serial, in one pointer.
struct Name {
  int fd;
  uint32_t serial;
};
static_assert(sizeof(Name) == sizeof(void*));

class Relay {
 public:
  Relay(uint16_t port, const std::vector<uint16_t>& replica_ports) : listener_(listen_on(port)) {
    nghttp2_session_callbacks_new(&callbacks_);
    nghttp2_session_callbacks_set_on_header_callback(callbacks_, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks_, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks_, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks_, on_stream_close);
    poller_.watch(listener_, EPOLLIN);
    for (const uint16_t replica_port : replica_ports) {
      const int fd = connect_to(replica_port);
      if (fd < 0) die("connect to a replica");
      replicas_.push_back(
          std::make_unique<H2Connection>(Channel(fd, nullptr, Channel::Role::kClient), scratch_));
      replicas_.back()->begin_client(callbacks_, this);
      poller_.watch(fd, EPOLLIN);
      if (!replicas_.back()->flush(poller_)) die("a replica");
    }
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : poller_.wait(std::chrono::milliseconds(-1)))
        on_event(event);
      answered_.flush_all([this](int fd) { answer(fd); });
      asked_.flush_all([this](int turn) {
        if (!replicas_[static_cast<size_t>(turn)]->flush(poller_)) die("a replica");
      });
    }
  }

 private:
  Client& client(int fd) { return clients_[static_cast<size_t>(fd)]; }

  void on_event(const epoll_event& event) {
    const int fd = event.data.fd;
    if (fd == listener_) return on_accept();
    for (size_t turn = 0; turn < replicas_.size(); ++turn) {
      if (replicas_[turn]->fd() != fd) continue;
      if (!replicas_[turn]->read()) die("a replica ended");
      return asked_.mark(static_cast<int>(turn));
    }
    if ((event.events & EPOLLOUT) != 0) answered_.mark(fd);
    if (client(fd).is_open && (event.events & ~uint32_t{EPOLLOUT}) != 0) on_client(fd);
  }

  void on_accept() {
    for (int fd; (fd = accept_from(listener_)) >= 0;) {
      const auto size = static_cast<size_t>(fd) + 1;
      if (clients_.size() < size) clients_.resize(size);
      client(fd).is_open = true;
      poller_.watch(fd, EPOLLIN);
    }
  }

  void on_client(int fd) {
    Client& c = client(fd);
    const ssize_t received = recv(fd, scratch_.in.data(), scratch_.in.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0 || c.head.size() > kHeadBytesMax) return end(fd);
    std::string_view data(scratch_.in.data(), static_cast<size_t>(received));
    if (!c.head.empty()) data = c.head.append(data);
    const size_t end_of_head = data.find("\r\n\r\n");
    if (end_of_head == std::string_view::npos) {
      if (c.head.empty()) c.head = data;
      return;
    }
    if (!forward(fd, data.substr(0, end_of_head + 2))) return end(fd);
    c.head.clear();
  }

  bool forward(int fd, std::string_view head) {
    const size_t space = head.find(' ');
    const size_t second = head.find(' ', space + 1);
    const size_t end_of_line = head.find("\r\n");
    if (second == std::string_view::npos || second > end_of_line) return false;
    nghttp2_nv fields[kFieldsMax];
    size_t count = 0;
    fields[count++] = field(":method", head.substr(0, space));
    fields[count++] = field(":scheme", "http");
    fields[count++] = field(":path", head.substr(space + 1, second - space - 1));
    constexpr size_t kPseudoFields = 3;
    head.remove_prefix(end_of_line + 2);
    const auto add = [&](std::string_view name, std::string_view value) {
      if (name == "connection") return true;
      fields[count++] = field(name == "host" ? ":authority" : name, value);
      if (name == "host") std::swap(fields[kPseudoFields], fields[count - 1]);  // they come first
      return count < kFieldsMax;
    };
    if (!each_field(head, names_, add)) return false;
    const size_t turn = turn_++ % replicas_.size();
    asked_.mark(static_cast<int>(turn));
    return nghttp2_submit_request(replicas_[turn]->session(), nullptr, fields, count, nullptr,
                                  pack({fd, client(fd).serial})) >= 0;
  }

  static void* pack(Name name) {
    void* packed = nullptr;
    std::memcpy(&packed, &name, sizeof name);
    return packed;
  }

  // The client that waits for this stream, unless it has gone.
  Client* waiting(nghttp2_session* session, int32_t stream, int& fd) {
    void* packed = nghttp2_session_get_stream_user_data(session, stream);
    if (packed == nullptr) return nullptr;
    Name name{};
    std::memcpy(&name, &packed, sizeof name);
    fd = name.fd;
    Client& c = client(fd);
    return c.is_open && c.serial == name.serial ? &c : nullptr;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                       void* relay) {
    int fd = -1;
    Client* c = static_cast<Relay*>(relay)->waiting(session, frame->hd.stream_id, fd);
    if (c == nullptr) return 0;
    if (text_of(name, name_size) == ":status") {
      c->response.append("HTTP/1.1 ").append(text_of(value, value_size)).append(" -\r\n");
    } else {
      c->response.append(text_of(name, name_size)).append(": ");
      c->response.append(text_of(value, value_size)).append("\r\n");
    }
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* relay) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    int fd = -1;
    Client* c = static_cast<Relay*>(relay)->waiting(session, frame->hd.stream_id, fd);
    if (c != nullptr) c->response.append("\r\n");
    return 0;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t* data,
                     size_t size, void* relay) {
    int fd = -1;
    Client* c = static_cast<Relay*>(relay)->waiting(session, stream, fd);
    if (c != nullptr) c->response.append(text_of(data, size));
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, int32_t stream, uint32_t error,
                             void* relay) {
    auto& self = *static_cast<Relay*>(relay);
    int fd = -1;
    Client* c = self.waiting(session, stream, fd);
    if (c == nullptr) return 0;
    if (error != NGHTTP2_NO_ERROR) {
      self.end(fd);
      return 0;
    }
    c->unsent.append(c->response);
    c->response.clear();
    self.answered_.mark(fd);
    return 0;
  }

  void answer(int fd) {
    Client& c = client(fd);
    if (!c.is_open) return;
    const ssize_t sent = send(fd, c.unsent.data(), c.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return end(fd);
    c.unsent.erase(0, sent < 0 ? 0 : static_cast<size_t>(sent));
    if (c.is_waiting == c.unsent.empty()) {
      c.is_waiting = !c.is_waiting;
      poller_.change(fd, EPOLLIN | (c.is_waiting ? uint32_t{EPOLLOUT} : 0));
    }
  }

  void end(int fd) {
    const uint32_t serial = client(fd).serial;
    client(fd) = Client{};
    client(fd).serial = serial + 1;
    close(fd);
  }

  Poller poller_;
  Scratch scratch_;
  DirtyList answered_;  // clients, by descriptor
  DirtyList asked_;     // replicas, by their place
  nghttp2_session_callbacks* callbacks_ = nullptr;
  int listener_;
  std::vector<std::unique_ptr<H2Connection>> replicas_;
  size_t turn_ = 0;
  std::deque<Client> clients_;  // by descriptor
  std::string names_;
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  using namespace limpet::bench;
  if (argc < 3) {
    std::fprintf(stderr, "usage: floor_to_h2 PORT REPLICA_PORT...\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  lift_descriptor_limit();
  std::vector<uint16_t> ports;
  for (int i = 2; i < argc; ++i)
    ports.push_back(static_cast<uint16_t>(std::atoi(argv[i])));
  Relay(static_cast<uint16_t>(std::atoi(argv[1])), ports).run();
}
