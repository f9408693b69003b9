// SPDX-License-Identifier: Apache-2.0
// The replicas that speak HTTP/2 in clear, with prior knowledge: several listeners of one thread,
// each naming itself in X-Replica (s0, s1, ...).
//
//   replica_h2 COUNT     prints the ports on one line
//
//   GET /128, /b/1048576                  a body of that many bytes

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/src/h2.h"

namespace limpet::bench {
namespace {

class Replicas;

struct Connection {
  Replicas* replicas = nullptr;
  std::unique_ptr<H2Connection> h2;
  std::string name;  // of the replica
};

struct Exchange {
  std::string path;
  size_t body_bytes_left = 0;
};

class Replicas {
 public:
  explicit Replicas(size_t count) {
    nghttp2_session_callbacks_new(&callbacks_);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks_, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks_, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks_, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks_, on_stream_close);
    for (size_t i = 0; i < count; ++i) {
      listeners_.push_back(listen_on(0));
      poller_.watch(listeners_.back(), EPOLLIN);
      std::printf(i + 1 < count ? "%d " : "%d\n", port_of(listeners_.back()));
    }
    std::fflush(stdout);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : poller_.wait(std::chrono::milliseconds(-1)))
        on_event(event.data.fd);
      dirty_.flush_all([this](int fd) {
        H2Connection* h2 = connection(fd).h2.get();
        if (h2 != nullptr && !h2->flush(poller_)) connection(fd).h2.reset();
      });
    }
  }

 private:
  Connection& connection(int fd) { return connections_[static_cast<size_t>(fd)]; }

  void on_event(int fd) {
    const auto listener = std::find(listeners_.begin(), listeners_.end(), fd);
    if (listener != listeners_.end()) {
      return on_accept(fd, static_cast<size_t>(listener - listeners_.begin()));
    }
    H2Connection* h2 = connection(fd).h2.get();
    if (h2 == nullptr) return;
    if (!h2->read()) return connection(fd).h2.reset();
    dirty_.mark(fd);
  }

  void on_accept(int listener, size_t replica) {
    for (int fd; (fd = accept_from(listener)) >= 0;) {
      const auto size = static_cast<size_t>(fd) + 1;
      if (connections_.size() < size) connections_.resize(size);
      Connection& c = connection(fd);
      c.replicas = this;
      c.name = "s" + std::to_string(replica);
      c.h2 = std::make_unique<H2Connection>(Channel(fd, nullptr, Channel::Role::kServer), scratch_);
      c.h2->begin_server(callbacks_, &c);
      poller_.watch(fd, EPOLLIN);
      dirty_.mark(fd);
    }
  }

  static Exchange* exchange_of(nghttp2_session* session, int32_t stream) {
    return static_cast<Exchange*>(nghttp2_session_get_stream_user_data(session, stream));
  }

  static int on_begin(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Replicas& self = *static_cast<Connection*>(user)->replicas;
    if (self.free_.empty()) {
      self.exchanges_.emplace_back();
      self.free_.push_back(&self.exchanges_.back());
    }
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, self.free_.back());
    self.free_.pop_back();
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    if (text_of(name, name_size) == ":path") {
      exchange_of(session, frame->hd.stream_id)->path = text_of(value, value_size);
    }
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    Exchange* exchange = may_end ? exchange_of(session, frame->hd.stream_id) : nullptr;
    if (exchange == nullptr || !ends_stream(frame)) return 0;
    exchange->body_bytes_left =
        number_of(std::string_view(exchange->path).substr(exchange->path.rfind('/') + 1));
    const std::string length = std::to_string(exchange->body_bytes_left);
    const nghttp2_nv fields[] = {
        field(":status", "200"), field("x-replica", static_cast<Connection*>(user)->name),
        field("content-type", "application/octet-stream"), field("content-length", length)};
    nghttp2_data_provider body{{.ptr = exchange}, on_read};
    nghttp2_submit_response(session, frame->hd.stream_id, fields, std::size(fields), &body);
    return 0;
  }

  static ssize_t on_read(nghttp2_session*, int32_t, uint8_t* to, size_t room, uint32_t* flags,
                         nghttp2_data_source* source, void*) {
    auto& exchange = *static_cast<Exchange*>(source->ptr);
    const size_t size = std::min(room, exchange.body_bytes_left);
    std::memset(to, 'x', size);
    exchange.body_bytes_left -= size;
    if (exchange.body_bytes_left == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  static int on_stream_close(nghttp2_session* session, int32_t stream, uint32_t, void* user) {
    if (Exchange* exchange = exchange_of(session, stream)) {
      static_cast<Connection*>(user)->replicas->free_.push_back(exchange);
    }
    return 0;
  }

  nghttp2_session_callbacks* callbacks_ = nullptr;
  Poller poller_;
  Scratch scratch_;
  DirtyList dirty_;
  std::vector<int> listeners_;
  std::deque<Connection> connections_;  // by descriptor; they stay where they are
  std::deque<Exchange> exchanges_;
  std::vector<Exchange*> free_;
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  const int count = argc == 2 ? std::atoi(argv[1]) : 0;
  if (count < 1) {
    std::fprintf(stderr, "usage: replica_h2 COUNT\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  limpet::bench::lift_descriptor_limit();
  limpet::bench::Replicas(static_cast<size_t>(count)).run();
}
