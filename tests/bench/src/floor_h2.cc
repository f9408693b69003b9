// SPDX-License-Identifier: Apache-2.0
// The floor of HTTP/2: a relay from HTTP/2 clients to HTTP/1.1 replicas that only forwards:
// nghttp2, a pool of connections to each replica, replicas in turn, one write per wakeup and
// client. It has no routes, no timers, no retries and no limits but back-pressure, and takes no
// request bodies.
//
//   floor_h2 [--tls CERT KEY] PORT REPLICA_PORT...

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <strings.h>

#include "tests/bench/src/h2.h"

namespace limpet::bench {
namespace {

constexpr size_t kHeadBytesMax = 16 * 1024;
constexpr size_t kHeldBytesMax = 256 * 1024;  // of a body that the client has no window for
constexpr size_t kFieldsMax = 64;

class Relay;

struct Client {
  Relay* relay = nullptr;
  std::unique_ptr<H2Connection> h2;
};

struct Exchange {
  Client* client = nullptr;  // nobody: free
  int32_t stream = 0;
  int replica_fd = -1;       // while it answers
  std::string path, fields;  // of the request, the fields as HTTP/1.1 writes them
  std::string body;          // of the response, as far as it came and is not sent
  size_t body_sent = 0;
  bool is_whole = false;   // the body has come
  bool is_parked = false;  // nghttp2 was told to ask later
  bool is_held = false;    // the replica is not read
};

struct Replica {
  bool is_open = false;
  size_t turn = 0;               // which of the replicas
  Exchange* exchange = nullptr;  // none: in its pool
  std::string head;              // of the response, as far as it came
  bool is_in_body = false;
  size_t body_bytes_left = 0;
};

class Relay {
 public:
  Relay(uint16_t port, std::vector<uint16_t> replica_ports, TlsContext tls)
      : tls_(std::move(tls)), listener_(listen_on(port)), ports_(std::move(replica_ports)) {
    pools_.resize(ports_.size());
    nghttp2_session_callbacks_new(&callbacks_);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks_, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks_, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks_, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks_, on_stream_close);
    poller_.watch(listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : poller_.wait(std::chrono::milliseconds(-1)))
        on_event(event.data.fd);
      dirty_.flush_all([this](int fd) {
        H2Connection* h2 = clients_[static_cast<size_t>(fd)].h2.get();
        if (h2 != nullptr && !h2->flush(poller_)) end_client(fd);
      });
    }
  }

 private:
  Replica& replica(int fd) { return replicas_[static_cast<size_t>(fd)]; }

  void on_event(int fd) {
    if (fd == listener_) return on_accept();
    const auto at = static_cast<size_t>(fd);
    if (at < clients_.size() && clients_[at].h2) {
      if (!clients_[at].h2->read()) return end_client(fd);
      dirty_.mark(fd);
    } else if (at < replicas_.size() && replicas_[at].is_open) {
      on_replica(fd);
    }
  }

  void on_accept() {
    for (int fd; (fd = accept_from(listener_)) >= 0;) {
      const auto size = static_cast<size_t>(fd) + 1;
      if (clients_.size() < size) clients_.resize(size);
      Client& client = clients_[static_cast<size_t>(fd)];
      client.relay = this;
      client.h2 =
          std::make_unique<H2Connection>(Channel(fd, tls_.get(), Channel::Role::kServer), scratch_);
      client.h2->begin_server(callbacks_, &client);
      poller_.watch(fd, EPOLLIN);
    }
  }

  void end_client(int fd) {
    Client& client = clients_[static_cast<size_t>(fd)];
    for (Exchange& exchange : exchanges_)
      if (exchange.client == &client) end_exchange(exchange);
    client.h2.reset();
  }

  // --- the client's side ----------------------------------------------------------------------

  static Exchange* exchange_of(nghttp2_session* session, int32_t stream) {
    return static_cast<Exchange*>(nghttp2_session_get_stream_user_data(session, stream));
  }

  static int on_begin(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    auto& client = *static_cast<Client*>(user);
    Relay& self = *client.relay;
    if (self.free_.empty()) {
      self.exchanges_.emplace_back();
      self.free_.push_back(&self.exchanges_.back());
    }
    Exchange& exchange = *self.free_.back();
    self.free_.pop_back();
    exchange.client = &client;
    exchange.stream = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, &exchange);
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    Exchange* exchange = exchange_of(session, frame->hd.stream_id);
    if (exchange == nullptr) return 0;
    std::string_view key = text_of(name, name_size);
    if (key == ":path") exchange->path = text_of(value, value_size);
    if (key == ":authority") key = "Host";
    if (key.front() == ':') return 0;
    exchange->fields.append(key).append(": ").append(text_of(value, value_size)).append("\r\n");
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || !ends_stream(frame)) return 0;
    Exchange* exchange = exchange_of(session, frame->hd.stream_id);
    if (exchange != nullptr) static_cast<Client*>(user)->relay->forward(*exchange);
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, int32_t stream, uint32_t, void* user) {
    Exchange* exchange = exchange_of(session, stream);
    if (exchange != nullptr) static_cast<Client*>(user)->relay->end_exchange(*exchange);
    return 0;
  }

  void end_exchange(Exchange& exchange) {
    if (exchange.replica_fd >= 0) end_replica(exchange.replica_fd);  // mid-answer
    exchange.client = nullptr;
    exchange.replica_fd = -1;
    exchange.fields.clear();
    exchange.body.clear();
    exchange.body_sent = 0;
    exchange.is_whole = exchange.is_parked = exchange.is_held = false;
    free_.push_back(&exchange);
  }

  // --- the replica's side ---------------------------------------------------------------------

  void forward(Exchange& exchange) {
    const int fd = take_replica();
    replica(fd).exchange = &exchange;
    exchange.replica_fd = fd;
    request_.assign("GET ").append(exchange.path).append(" HTTP/1.1\r\n");
    request_.append(exchange.fields).append("\r\n");
    if (send(fd, request_.data(), request_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request_.size())) {
      reset(fd);
    }
  }

  int take_replica() {
    const size_t turn = turn_++ % ports_.size();
    std::vector<int>& pool = pools_[turn];
    if (!pool.empty()) {
      const int fd = pool.back();
      pool.pop_back();
      return fd;
    }
    const int fd = connect_to(ports_[turn]);
    if (fd < 0) die("connect to a replica");
    const auto size = static_cast<size_t>(fd) + 1;
    if (replicas_.size() < size) replicas_.resize(size);
    replica(fd) = Replica{};
    replica(fd).is_open = true;
    replica(fd).turn = turn;
    poller_.watch(fd, EPOLLIN);
    return fd;
  }

  void end_replica(int fd) {
    std::erase(pools_[replica(fd).turn], fd);
    replica(fd).is_open = false;
    close(fd);
  }

  // The replica broke: so does the stream.
  void reset(int fd) {
    Exchange* exchange = replica(fd).exchange;
    end_replica(fd);
    if (exchange == nullptr) return;
    exchange->replica_fd = -1;
    nghttp2_submit_rst_stream(exchange->client->h2->session(), NGHTTP2_FLAG_NONE, exchange->stream,
                              NGHTTP2_INTERNAL_ERROR);
    dirty_.mark(exchange->client->h2->fd());
  }

  void on_replica(int fd) {
    Replica& r = replica(fd);
    const ssize_t received = recv(fd, scratch_.in.data(), scratch_.in.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0 || r.exchange == nullptr) return reset(fd);
    std::string_view data(scratch_.in.data(), static_cast<size_t>(received));
    if (r.is_in_body) return on_body(fd, data);
    // A whole head that comes at once is read where it lies.
    if (!r.head.empty()) data = r.head.append(data);
    const size_t end = data.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (r.head.empty()) r.head = data;
      return r.head.size() > kHeadBytesMax ? reset(fd) : void();
    }
    if (!on_head(r, data.substr(0, end + 2))) return reset(fd);
    const std::string rest = r.head.substr(std::min(r.head.size(), end + 4));
    data = r.head.empty() ? data.substr(end + 4) : rest;
    r.head.clear();
    on_body(fd, data);
  }

  bool on_head(Replica& r, std::string_view head) {
    if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return false;
    nghttp2_nv fields[kFieldsMax];
    size_t count = 0;
    fields[count++] = field(":status", head.substr(9, 3));
    head.remove_prefix(head.find("\r\n") + 2);
    const auto add = [&](std::string_view name, std::string_view value) {
      if (name == "content-length") r.body_bytes_left = number_of(value);
      fields[count++] = field(name, value);
      return count < kFieldsMax;
    };
    if (!each_field(head, names_, add)) return false;
    r.is_in_body = true;
    nghttp2_data_provider body{{.ptr = r.exchange}, on_read};
    Exchange& exchange = *r.exchange;
    return nghttp2_submit_response(exchange.client->h2->session(), exchange.stream, fields, count,
                                   &body) == 0;
  }

  void on_body(int fd, std::string_view data) {
    Replica& r = replica(fd);
    if (data.size() > r.body_bytes_left) return reset(fd);
    Exchange& exchange = *r.exchange;
    exchange.body.append(data);
    r.body_bytes_left -= data.size();
    exchange.is_whole = r.body_bytes_left == 0;
    if (exchange.is_parked && (!data.empty() || exchange.is_whole)) {
      exchange.is_parked = false;
      nghttp2_session_resume_data(exchange.client->h2->session(), exchange.stream);
    }
    dirty_.mark(exchange.client->h2->fd());
    if (exchange.is_whole) {
      r.exchange = nullptr;
      r.is_in_body = false;
      exchange.replica_fd = -1;
      pools_[r.turn].push_back(fd);
    } else if (exchange.body.size() - exchange.body_sent >= kHeldBytesMax) {
      exchange.is_held = true;
      poller_.change(fd, 0);
    }
  }

  static ssize_t on_read(nghttp2_session*, int32_t, uint8_t* to, size_t room, uint32_t* flags,
                         nghttp2_data_source* source, void*) {
    auto& exchange = *static_cast<Exchange*>(source->ptr);
    const size_t size = std::min(room, exchange.body.size() - exchange.body_sent);
    std::memcpy(to, exchange.body.data() + exchange.body_sent, size);
    exchange.body_sent += size;
    if (exchange.body_sent == exchange.body.size()) {
      exchange.body.clear();
      exchange.body_sent = 0;
      if (exchange.is_held) {
        exchange.is_held = false;
        if (exchange.replica_fd >= 0) exchange.client->relay->read_on(exchange.replica_fd);
      }
      if (exchange.is_whole) *flags |= NGHTTP2_DATA_FLAG_EOF;
      exchange.is_parked = size == 0 && !exchange.is_whole;
    }
    return exchange.is_parked ? ssize_t{NGHTTP2_ERR_DEFERRED} : static_cast<ssize_t>(size);
  }

  void read_on(int fd) { poller_.change(fd, EPOLLIN); }

  TlsContext tls_;
  Poller poller_;
  Scratch scratch_;
  DirtyList dirty_;
  nghttp2_session_callbacks* callbacks_ = nullptr;
  int listener_;
  std::vector<uint16_t> ports_;
  std::vector<std::vector<int>> pools_;  // by replica
  size_t turn_ = 0;
  std::deque<Client> clients_;     // by descriptor; they stay where they are
  std::vector<Replica> replicas_;  // by descriptor
  std::deque<Exchange> exchanges_;
  std::vector<Exchange*> free_;
  std::string request_, names_;
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  using namespace limpet::bench;
  const bool is_tls = argc > 3 && std::string_view(argv[1]) == "--tls";
  const int first = is_tls ? 4 : 1;
  if (argc < first + 2) {
    std::fprintf(stderr, "usage: floor_h2 [--tls CERT KEY] PORT REPLICA_PORT...\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  lift_descriptor_limit();
  std::vector<uint16_t> ports;
  for (int i = first + 1; i < argc; ++i)
    ports.push_back(static_cast<uint16_t>(std::atoi(argv[i])));
  Relay(static_cast<uint16_t>(std::atoi(argv[first])), ports,
        is_tls ? server_context(argv[2], argv[3], kAlpnHttp2) : TlsContext{})
      .run();
}
