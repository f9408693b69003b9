// SPDX-License-Identifier: Apache-2.0
// The load over HTTP/2: N connections with S requests at once on each, in a closed loop. In clear
// with prior knowledge, or with --tls.
//
//   load_h2 --port P --connections N --streams S --path /128 --requests R [--warm W] [--tls]
//
// Like load.cc it opens its connections, sends W requests on each, prints "ready", waits for
// a line, runs, prints one JSON object and leaves at the end of its input.

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/src/h2.h"
#include "tests/bench/src/load_main.h"
#include "tests/bench/src/load_options.h"
#include "tests/bench/src/tally.h"

namespace limpet::bench {
namespace {

using std::chrono::milliseconds;

constexpr size_t kOpeningMax = 32;           // connections that are being warmed
constexpr uint64_t kErrorsMax = 1000;        // then the run ends
constexpr milliseconds kSilenceMax(10'000);  // nothing at all for so long is an error

struct Connection {
  std::unique_ptr<H2Connection> h2;
  size_t running = 0;  // requests without their answer
  uint64_t warm_left = 0;
};

struct Exchange {
  int fd = -1;
  bool is_ok = false;  // status 200
  size_t body_bytes = 0;
  std::string replica;
  Clock::time_point sent_at;
};

class Load {
 public:
  explicit Load(LoadOptions options)
      : options_(std::move(options)),
        body_bytes_(
            number_of(std::string_view(options_.path).substr(options_.path.rfind('/') + 1))) {
    if (options_.is_tls) tls_ = client_context(kAlpnHttp2);
    nghttp2_session_callbacks_new(&callbacks_);
    nghttp2_session_callbacks_set_on_header_callback(callbacks_, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks_, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks_, on_stream_close);
  }

  void warm_up() {
    size_t opened = 0;
    while (warmed_ < options_.connections && !has_failed()) {
      while (opened < options_.connections && opened - warmed_ < kOpeningMax) {
        open_next();
        ++opened;
      }
      turn();
    }
  }

  void run() {
    running_ = true;
    tally_ = Tally{};
    const auto started = Clock::now();
    for (const int fd : fds_)
      fill(fd);
    flush_all();
    while (tally_.done + tally_.errors < options_.requests && !has_failed())
      turn();
    tally_.elapsed = Clock::now() - started;
    for (const int fd : fds_)
      tally_.bytes += connection(fd).h2->received_bytes();
    tally_.bytes -= warm_bytes_;
  }

  void ready() {
    for (const int fd : fds_)
      warm_bytes_ += connection(fd).h2->received_bytes();
  }

  void print() { tally_.print(); }
  bool has_failed() const { return is_silent_ || tally_.errors > kErrorsMax; }
  uint64_t errors() const { return tally_.errors; }

 private:
  Connection& connection(int fd) { return connections_[static_cast<size_t>(fd)]; }

  void turn() {
    const auto ready = poller_.wait(kSilenceMax);
    is_silent_ = ready.empty() || fds_.empty();
    for (const epoll_event& event : ready) {
      const int fd = event.data.fd;
      if (!connection(fd).h2) continue;
      dirty_.mark(fd);
      if ((event.events & ~uint32_t{EPOLLOUT}) != 0 && !connection(fd).h2->read()) on_broken(fd);
    }
    flush_all();
  }

  void flush_all() {
    dirty_.flush_all([this](int fd) {
      if (connection(fd).h2 && !connection(fd).h2->flush(poller_)) on_broken(fd);
    });
  }

  void open_next() {
    const int fd = connect_to(options_.port);
    if (fd < 0) die("connect");
    if (connections_.size() <= static_cast<size_t>(fd)) {
      connections_.resize(static_cast<size_t>(fd) + 1);
    }
    Connection& c = connection(fd);
    c.h2 =
        std::make_unique<H2Connection>(Channel(fd, tls_.get(), Channel::Role::kClient), scratch_);
    c.h2->begin_client(callbacks_, this);
    c.warm_left = static_cast<uint64_t>(options_.warm);
    poller_.watch(fd, EPOLLIN);
    fds_.push_back(fd);
    fill(fd);
    if (!c.h2->flush(poller_)) on_broken(fd);
  }

  // As many requests as may run at once.
  void fill(int fd) {
    Connection& c = connection(fd);
    while (c.running < options_.streams && take_one(c)) {
      Exchange& exchange = new_exchange(fd);
      const nghttp2_nv fields[] = {field(":method", "GET"),
                                   field(":scheme", options_.is_tls ? "https" : "http"),
                                   field(":authority", "bench.example"),
                                   field(":path", options_.path),
                                   field("user-agent", "load"),
                                   field("accept", "*/*")};
      if (nghttp2_submit_request(c.h2->session(), nullptr, fields, std::size(fields), nullptr,
                                 &exchange) < 0) {
        die("nghttp2_submit_request");
      }
      ++c.running;
    }
    dirty_.mark(fd);
  }

  bool take_one(Connection& c) {
    if (running_) return sent_ < options_.requests && ++sent_ > 0;
    return c.warm_left > 0 && c.warm_left-- > 0;
  }

  Exchange& new_exchange(int fd) {
    if (free_.empty()) {
      exchanges_.emplace_back();
      free_.push_back(&exchanges_.back());
    }
    Exchange& exchange = *free_.back();
    free_.pop_back();
    exchange.fd = fd;
    exchange.is_ok = false;
    exchange.body_bytes = 0;
    exchange.replica.clear();
    exchange.sent_at = Clock::now();
    return exchange;
  }

  static Exchange* exchange_of(nghttp2_session* session, int32_t stream) {
    return static_cast<Exchange*>(nghttp2_session_get_stream_user_data(session, stream));
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    Exchange* exchange = exchange_of(session, frame->hd.stream_id);
    if (exchange == nullptr) return 0;
    if (text_of(name, name_size) == ":status")
      exchange->is_ok = text_of(value, value_size) == "200";
    if (text_of(name, name_size) == "x-replica") exchange->replica = text_of(value, value_size);
    return 0;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t*, size_t size,
                     void*) {
    if (Exchange* exchange = exchange_of(session, stream)) exchange->body_bytes += size;
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, int32_t stream, uint32_t error, void* load) {
    if (Exchange* exchange = exchange_of(session, stream)) {
      static_cast<Load*>(load)->on_end(*exchange, error == NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  void on_end(Exchange& exchange, bool is_whole) {
    Connection& c = connection(exchange.fd);
    --c.running;
    if (!is_whole || !exchange.is_ok || exchange.body_bytes != body_bytes_) {
      ++tally_.errors;
    } else if (running_) {
      ++tally_.done;
      ++tally_.answers[exchange.replica];
      tally_.delays.push_back(Clock::now() - exchange.sent_at);
    }
    free_.push_back(&exchange);
    fill(exchange.fd);
    if (!running_ && c.running == 0) ++warmed_;
  }

  // What ran on it is lost; the others go on.
  void on_broken(int fd) {
    tally_.errors += std::max<size_t>(connection(fd).running, 1);
    connection(fd) = Connection{};
    std::erase(fds_, fd);
  }

  LoadOptions options_;
  size_t body_bytes_;
  TlsContext tls_;
  nghttp2_session_callbacks* callbacks_ = nullptr;
  Poller poller_;
  Scratch scratch_;
  DirtyList dirty_;
  std::vector<int> fds_;
  std::deque<Exchange> exchanges_;
  std::vector<Exchange*> free_;
  std::vector<Connection> connections_;  // by descriptor
  size_t warmed_ = 0;
  bool running_ = false, is_silent_ = false;
  uint64_t sent_ = 0, warm_bytes_ = 0;
  Tally tally_;
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  using namespace limpet::bench;
  prepare_process();
  return run_load(Load(read_load_options(argc, argv)), "load_h2", "of them broke");
}
