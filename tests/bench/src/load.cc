// SPDX-License-Identifier: Apache-2.0
// The load: N keep-alive connections in a closed loop, each sending its next request when the last
// one is answered; or N readers of event streams.
//
//   load --port P --connections N --path /128 --requests R [--warm W] [--cookies]
//   load --port P --connections N --path '/sse?...' --seconds S
//
// --tls puts TLS 1.3 under it; --renew closes each connection of the run after its answer and takes
// a new one for the next request, and --resume does so with the session of the connection before.
// It opens the connections, sends W requests on each (one by default; streams: waits for the first
// event), prints "ready" and waits for a line. Until then the connections are idle, which is how
// memory is measured. After the line it runs, prints one JSON object and leaves at the end of
// its input. --cookies sends back what Set-Cookie gave each connection, and counts as `moved` each
// answer to a cookie from another replica than the one before.

#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <strings.h>

#include "tests/bench/src/channel.h"
#include "tests/bench/src/load_main.h"
#include "tests/bench/src/load_options.h"
#include "tests/bench/src/tally.h"

namespace limpet::bench {
namespace {

using std::chrono::milliseconds;

constexpr size_t kBufferBytes = 256 * 1024;
constexpr size_t kHeadBytesMax = 64 * 1024;
constexpr size_t kOpeningMax = 32;           // connections whose first answer is awaited
constexpr uint64_t kErrorsMax = 1000;        // then the run ends
constexpr milliseconds kSilenceMax(10'000);  // no event at all for so long is an error
constexpr size_t kStampBytes = 19;

enum class State { kParked, kHead, kBody, kStream };

struct Connection {
  Channel channel;
  State state = State::kParked;
  bool is_warm = false;
  bool owes_request = false;  // until the handshake is over
  int warm_left = 0;
  std::string request;
  std::string head;  // of the response, as far as it came
  size_t body_bytes_left = 0;
  std::map<std::string, std::string, std::less<>> cookies;
  std::string replica;  // that answered last
  Clock::time_point sent_at;
};

bool is_field(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         strncasecmp(line.data(), name.data(), name.size()) == 0;
}

std::string_view value_of(std::string_view line) {
  line.remove_prefix(line.find(':') + 1);
  while (!line.empty() && line.front() == ' ')
    line.remove_prefix(1);
  return line;
}

class Load {
 public:
  explicit Load(LoadOptions options) : options_(std::move(options)) {
    if (options_.is_tls) tls_ = client_context(kAlpnHttp1);
  }

  void warm_up() {
    while (warmed_ < options_.connections && !has_failed()) {
      while (opened_ < options_.connections && opened_ - warmed_ < kOpeningMax) {
        send_request(open_next());
      }
      turn(kSilenceMax);
    }
  }

  void run() {
    running_ = true;
    tally_ = Tally{};
    const auto started = Clock::now();
    if (options_.is_stream()) {
      const auto end = started + options_.duration;
      for (auto now = started; now < end && !has_failed(); now = Clock::now()) {
        turn(std::chrono::ceil<milliseconds>(end - now));
      }
    } else {
      for (const int fd : std::vector<int>(fds_))
        send_next(fd);
      while (tally_.done + tally_.errors < options_.requests && !has_failed())
        turn(kSilenceMax);
    }
    tally_.elapsed = Clock::now() - started;
  }

  void print() { tally_.print(); }

  bool has_failed() const { return tally_.errors > kErrorsMax || is_silent_; }
  uint64_t errors() const { return tally_.errors; }

 private:
  Connection& connection(int fd) { return connections_[static_cast<size_t>(fd)]; }

  void turn(milliseconds timeout) {
    const auto ready = poller_.wait(timeout);
    is_silent_ = ready.empty() && (!running_ || !options_.is_stream());
    for (const epoll_event& event : ready) {
      const int fd = event.data.fd;
      if (connection(fd).channel.fd() == fd) on_readable(fd);
      while (connection(fd).channel.has_more())
        on_readable(fd);
    }
  }

  int open_next() {
    const int fd = connect_to(options_.port);
    if (fd < 0) die("connect");
    if (connections_.size() <= static_cast<size_t>(fd)) {
      connections_.resize(static_cast<size_t>(fd) + 1);
    }
    Connection& c = connection(fd);
    c = Connection{};
    c.channel = Channel(fd, tls_.get(), Channel::Role::kClient);
    c.warm_left = options_.warm;
    poller_.watch(fd, EPOLLIN);
    fds_.push_back(fd);
    ++opened_;
    write_request(c);
    return fd;
  }

  void write_request(Connection& c) {
    c.request = "GET " + options_.path +
                " HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: load\r\nAccept: */*\r\n";
    const char* separator = "Cookie: ";
    for (const auto& [name, value] : c.cookies) {
      c.request.append(separator).append(name).append("=").append(value);
      separator = "; ";
    }
    c.request += c.cookies.empty() ? "\r\n" : "\r\n\r\n";
  }

  void send_request(int fd) {
    Connection& c = connection(fd);
    c.state = State::kHead;
    c.sent_at = Clock::now();
    c.owes_request = true;
    c.channel.shake();
    send_owed(c);
  }

  static void send_owed(Connection& c) {
    if (!c.owes_request || !c.channel.is_ready()) return;
    c.owes_request = false;
    c.channel.send(c.request.data(), c.request.size());  // if it fails, the close will tell
  }

  void send_next(int fd) {
    connection(fd).state = State::kParked;
    if (sent_ == options_.requests) return;
    ++sent_;
    send_request(options_.renews ? renew(fd) : fd);
  }

  int renew(int fd) {
    const TlsSession session = options_.resumes ? connection(fd).channel.session() : TlsSession{};
    connection(fd).channel.close();
    std::erase(fds_, fd);
    const int renewed = open_next();
    if (session) connection(renewed).channel.offer(session.get());
    return renewed;
  }

  void on_readable(int fd) {
    Connection& c = connection(fd);
    const int discard = c.state == State::kBody ? MSG_TRUNC : 0;  // TCP drops it without a copy
    const ssize_t received = c.channel.receive(buffer_.data(), buffer_.size(), discard);
    if (received < 0) return on_broken(fd);
    send_owed(c);
    if (received == 0) return;
    const auto size = static_cast<size_t>(received);
    tally_.bytes += size;
    if (c.state == State::kBody) return on_body(fd, size);
    const std::string_view data(buffer_.data(), size);
    if (c.state == State::kStream) return on_events(fd, data);
    if (c.state == State::kParked) return on_broken(fd);  // an answer that nobody asked for
    c.head.append(data);
    const size_t end = c.head.find("\r\n\r\n");
    if (end == std::string::npos) return c.head.size() > kHeadBytesMax ? on_broken(fd) : void();
    const std::string rest = c.head.substr(end + 4);
    c.head.resize(end + 2);
    if (!on_head(c)) return on_broken(fd);
    c.head.clear();
    if (options_.is_stream()) {
      c.state = State::kStream;
      return on_events(fd, rest);
    }
    c.state = State::kBody;
    on_body(fd, rest.size());
  }

  bool on_head(Connection& c) {
    std::string_view head = c.head;
    if (!head.starts_with("HTTP/1.1 200")) return false;
    bool has_length = options_.is_stream();
    bool has_new_cookie = false;
    std::string replica;
    for (size_t end; (end = head.find("\r\n")) != std::string_view::npos;) {
      const std::string_view line = head.substr(0, end);
      head.remove_prefix(end + 2);
      if (is_field(line, "Content-Length")) {
        const std::string_view digits = value_of(line);
        std::from_chars(digits.data(), digits.data() + digits.size(), c.body_bytes_left);
        has_length = true;
      } else if (is_field(line, "X-Replica")) {
        replica = value_of(line);
      } else if (options_.keeps_cookies && is_field(line, "Set-Cookie")) {
        keep_cookie(c, value_of(line));
        has_new_cookie = true;
      }
    }
    const bool had_cookie = c.request.find("\r\nCookie: ") != std::string::npos;
    if (had_cookie && running_) ++tally_.with_cookie;
    if (had_cookie && !c.replica.empty() && replica != c.replica) ++tally_.moved;
    if (running_) ++tally_.answers[replica];
    c.replica = std::move(replica);
    if (has_new_cookie) write_request(c);
    return has_length;
  }

  static void keep_cookie(Connection& c, std::string_view text) {
    const std::string_view pair = text.substr(0, text.find(';'));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return;
    c.cookies[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }

  void on_body(int fd, size_t size) {
    Connection& c = connection(fd);
    if (size > c.body_bytes_left) return on_broken(fd);
    c.body_bytes_left -= size;
    if (c.body_bytes_left > 0) return;
    if (running_) {
      ++tally_.done;
      if (c.channel.is_resumed()) ++tally_.resumed;
      tally_.delays.push_back(Clock::now() - c.sent_at);
      send_next(fd);
    } else if (--c.warm_left > 0) {
      send_request(fd);
    } else {
      c.state = State::kParked;
      on_warm(c);
    }
  }

  void on_warm(Connection& c) {
    c.is_warm = true;
    ++warmed_;
  }

  void on_events(int fd, std::string_view data) {
    Connection& c = connection(fd);
    const auto now = Clock::now().time_since_epoch();
    for (size_t mark; (mark = data.find('!')) != std::string_view::npos;) {
      if (!c.is_warm) on_warm(c);
      ++tally_.done;
      const size_t stamp = data.substr(0, mark).rfind("data: ");
      if (stamp != std::string_view::npos && mark - stamp > 6 + kStampBytes) {
        int64_t sent_ns = 0;
        const char* digits = data.data() + stamp + 6;
        std::from_chars(digits, digits + kStampBytes, sent_ns);
        tally_.delays.push_back(now - std::chrono::nanoseconds(sent_ns));
      }
      data.remove_prefix(mark + 1);
    }
  }

  // A connection that broke is an error; another one takes over, so that the run goes on.
  void on_broken(int fd) {
    const Connection& c = connection(fd);
    if (!running_) --opened_;
    if (!running_ && c.is_warm) --warmed_;
    if (!running_ || c.state != State::kParked) ++tally_.errors;
    std::erase(fds_, fd);
    connection(fd).channel.close();
    if (running_ && !options_.is_stream() && !has_failed()) send_next(open_next());
  }

  LoadOptions options_;
  TlsContext tls_;
  Poller poller_;
  std::vector<int> fds_;
  std::vector<Connection> connections_;  // by descriptor
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  size_t opened_ = 0, warmed_ = 0;
  bool running_ = false, is_silent_ = false;
  uint64_t sent_ = 0;
  Tally tally_;
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  using namespace limpet::bench;
  prepare_process();
  return run_load(Load(read_load_options(argc, argv)), "load", "connections that broke");
}
