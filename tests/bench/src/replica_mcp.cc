// SPDX-License-Identifier: Apache-2.0
// MCP servers of the session era (Streamable HTTP, JSON answers): several listeners of one thread,
// each a replica with sessions of its own in memory, naming itself in X-Replica (s0, s1, ...).
//
//   replica_mcp COUNT    prints the ports on one line, then obeys the lines of its input:
//   kill N               closes replica N's listener and connections and forgets its sessions
//   reset                begins the counts anew; like kill it answers []
//   counts               prints one JSON array, by replica: live sessions, initialize calls and
//                        requests since the reset, and the most of each in one window of 100 ms
//
// At /mcp: initialize makes a session; tools/call answers params.arguments.text; ping and
// logging/setLevel answer {}; notifications get 202; DELETE ends a session; a session that is not
// here gets 404 and -32001. Elsewhere a POST is answered like a tools/call, and needs no session.

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <strings.h>

#include "tests/bench/src/socket.h"

namespace limpet::bench {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr size_t kRequestBytesMax = 256 * 1024;
constexpr std::chrono::milliseconds kWindow(100);
constexpr int kCommands = STDIN_FILENO;

struct Connection {
  bool is_open = false;
  size_t replica = 0;
  std::string input, unsent;
};

struct Count {
  uint64_t total = 0, peak = 0, in_window = 0;
  Clock::time_point window_ends;

  void add() {
    const auto now = Clock::now();
    if (now >= window_ends) {
      in_window = 0;
      window_ends = now + kWindow;
    }
    ++total;
    peak = std::max(peak, ++in_window);
  }
};

struct Replica {
  int listener = -1;
  size_t sessions = 0;
  Count initializes, requests;
};

struct Request {
  std::string_view method, path, session, body;
};

/// The field's value in a head that ends with its last line's CRLF; empty if there is none.
std::string_view field_of(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    if (line.size() <= name.size() || line[name.size()] != ':' ||
        strncasecmp(line.data(), name.data(), name.size()) != 0) {
      continue;
    }
    std::string_view value = line.substr(name.size() + 1);
    while (value.starts_with(' '))
      value.remove_prefix(1);
    return value;
  }
  return {};
}

/// The raw value of a member, wherever it is first in the text: a number, or a text in its quotes.
std::string_view member_of(std::string_view json, std::string_view name) {
  const std::string quoted = "\"" + std::string(name) + "\"";
  size_t at = json.find(quoted);
  if (at == std::string_view::npos) return {};
  at = json.find_first_not_of(" :\t\r\n", at + quoted.size());
  if (at == std::string_view::npos) return {};
  const bool is_text = json[at] == '"';
  const size_t end = is_text ? json.find('"', at + 1) : json.find_first_of(",} \t\r\n", at);
  return end == std::string_view::npos ? std::string_view{}
                                       : json.substr(at, end - at + (is_text ? 1 : 0));
}

class Replicas {
 public:
  explicit Replicas(size_t count) : replicas_(count) {
    for (size_t i = 0; i < count; ++i) {
      replicas_[i].listener = listen_on(0);
      poller_.watch(replicas_[i].listener, EPOLLIN);
      std::printf(i + 1 < count ? "%d " : "%d\n", port_of(replicas_[i].listener));
    }
    std::fflush(stdout);
    poller_.watch(kCommands, EPOLLIN);
  }

  void run() {
    while (!has_ended_) {
      for (const epoll_event& event : poller_.wait(std::chrono::milliseconds(-1)))
        on_event(event);
    }
  }

 private:
  Connection& connection(int fd) { return connections_[static_cast<size_t>(fd)]; }

  void on_event(const epoll_event& event) {
    const int fd = event.data.fd;
    if (fd == kCommands) return on_command();
    for (size_t i = 0; i < replicas_.size(); ++i)
      if (replicas_[i].listener == fd) return on_accept(i);
    if (static_cast<size_t>(fd) >= connections_.size() || !connection(fd).is_open) return;
    if ((event.events & EPOLLOUT) != 0) flush(fd);
    if ((event.events & ~uint32_t{EPOLLOUT}) != 0 && connection(fd).is_open) on_readable(fd);
  }

  void on_command() {
    std::string line;
    if (!std::getline(std::cin, line)) {
      has_ended_ = true;
    } else if (line.starts_with("kill ")) {
      kill(static_cast<size_t>(std::atoi(line.c_str() + 5)));
      std::puts("[]");
    } else if (line == "reset") {
      for (Replica& replica : replicas_)
        replica.initializes = replica.requests = Count{};
      std::puts("[]");
    } else if (line == "counts") {
      print();
    }
    std::fflush(stdout);
  }

  void kill(size_t index) {
    if (index >= replicas_.size() || replicas_[index].listener < 0) return;
    close(std::exchange(replicas_[index].listener, -1));
    for (size_t fd = 0; fd < connections_.size(); ++fd)
      if (connections_[fd].is_open && connections_[fd].replica == index) end(static_cast<int>(fd));
    std::erase_if(sessions_, [index](const auto& session) { return session.second == index; });
    replicas_[index].sessions = 0;
  }

  void print() const {
    const auto plain = [](uint64_t value) { return static_cast<unsigned long long>(value); };
    const char* separator = "[";
    for (const Replica& replica : replicas_) {
      std::printf("%s{\"sessions\": %llu, \"initializes\": %llu, \"peak_initializes\": %llu, ",
                  separator, plain(replica.sessions), plain(replica.initializes.total),
                  plain(replica.initializes.peak));
      std::printf("\"requests\": %llu, \"peak_requests\": %llu}", plain(replica.requests.total),
                  plain(replica.requests.peak));
      separator = ", ";
    }
    std::puts("]");
  }

  void on_accept(size_t index) {
    for (int fd; (fd = accept_from(replicas_[index].listener)) >= 0;) {
      const auto size = static_cast<size_t>(fd) + 1;
      if (connections_.size() < size) connections_.resize(size);
      connection(fd) = Connection{true, index, {}, {}};
      poller_.watch(fd, EPOLLIN);
    }
  }

  void on_readable(int fd) {
    Connection& c = connection(fd);
    const ssize_t received = recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0 || c.input.size() > kRequestBytesMax) return end(fd);
    c.input.append(buffer_.data(), static_cast<size_t>(received));
    while (take_request(c))
      continue;
    if (!c.unsent.empty()) flush(fd);
  }

  bool take_request(Connection& c) {
    const std::string_view input = c.input;
    const size_t end_of_head = input.find("\r\n\r\n");
    if (end_of_head == std::string_view::npos) return false;
    const std::string_view head = input.substr(0, end_of_head + 2);
    const std::string_view length = field_of(head, "Content-Length");
    size_t body_bytes = 0;
    std::from_chars(length.data(), length.data() + length.size(), body_bytes);
    if (input.size() < end_of_head + 4 + body_bytes) return false;
    const size_t space = head.find(' ');
    const size_t second = head.find(' ', space + 1);
    const Request request{head.substr(0, space), head.substr(space + 1, second - space - 1),
                          field_of(head, "Mcp-Session-Id"),
                          input.substr(end_of_head + 4, body_bytes)};
    replicas_[c.replica].requests.add();
    on_request(c, request);
    c.input.erase(0, end_of_head + 4 + body_bytes);
    return true;
  }

  void on_request(Connection& c, const Request& request) {
    if (request.path != "/mcp") return on_call(c, request);
    if (request.method != "POST" && request.method != "DELETE") return respond(c, "405 -", {});
    const std::string_view method = member_of(request.body, "method");
    if (request.session.empty()) {
      if (method == "\"initialize\"") return on_initialize(c, request);
      return respond_error(c, "400 -", "-32000", request);
    }
    const auto session = sessions_.find(std::string(request.session));
    if (session == sessions_.end() || session->second != c.replica) {
      return respond_error(c, "404 -", "-32001", request);
    }
    if (request.method == "DELETE") {
      sessions_.erase(session);
      --replicas_[c.replica].sessions;
      return respond(c, "200 OK", {});
    }
    if (member_of(request.body, "id").empty()) return respond(c, "202 -", {});
    if (method == "\"tools/call\"") return on_call(c, request);
    respond(c, "200 OK", result(request, "{}"));
  }

  void on_initialize(Connection& c, const Request& request) {
    Replica& replica = replicas_[c.replica];
    replica.initializes.add();
    ++replica.sessions;
    std::array<char, 64> id{};
    std::snprintf(id.data(), id.size(), "s%zu-%016llx-%08llx", c.replica,
                  static_cast<unsigned long long>(Clock::now().time_since_epoch().count()),
                  static_cast<unsigned long long>(++serial_));
    sessions_.emplace(id.data(), c.replica);
    respond(c, "200 OK",
            result(request, R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{}},)"
                            R"("serverInfo":{"name":"bench","version":"1"}})"),
            id.data());
  }

  void on_call(Connection& c, const Request& request) {
    const std::string_view text = member_of(request.body, "text");
    respond(c, "200 OK",
            result(request, R"({"content":[{"type":"text","text":)" + std::string(text) + "}]}"));
  }

  static std::string result(const Request& request, std::string_view value) {
    return R"({"jsonrpc":"2.0","id":)" + std::string(member_of(request.body, "id")) +
           R"(,"result":)" + std::string(value) + "}";
  }

  static void respond_error(Connection& c, std::string_view status, std::string_view code,
                            const Request& request) {
    const std::string_view id = member_of(request.body, "id");
    respond(c, status,
            R"({"jsonrpc":"2.0","id":)" + (id.empty() ? "null" : std::string(id)) +
                R"(,"error":{"code":)" + std::string(code) + R"(,"message":"Session not found"}})");
  }

  static void respond(Connection& c, std::string_view status, std::string_view body,
                      std::string_view session = {}) {
    c.unsent.append("HTTP/1.1 ").append(status).append("\r\nX-Replica: s");
    c.unsent.append(std::to_string(c.replica));
    if (!session.empty()) c.unsent.append("\r\nMcp-Session-Id: ").append(session);
    if (!body.empty()) c.unsent.append("\r\nContent-Type: application/json");
    c.unsent.append("\r\nContent-Length: ").append(std::to_string(body.size()));
    c.unsent.append("\r\n\r\n").append(body);
  }

  void flush(int fd) {
    std::string& unsent = connection(fd).unsent;
    const ssize_t sent = send(fd, unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return end(fd);
    unsent.erase(0, sent < 0 ? 0 : static_cast<size_t>(sent));
    poller_.change(fd, EPOLLIN | (unsent.empty() ? 0 : uint32_t{EPOLLOUT}));
  }

  void end(int fd) {
    connection(fd) = Connection{};
    close(fd);
  }

  Poller poller_;
  std::vector<Replica> replicas_;
  std::vector<Connection> connections_;               // by descriptor
  std::unordered_map<std::string, size_t> sessions_;  // their replica
  uint64_t serial_ = 0;
  bool has_ended_ = false;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  const int count = argc == 2 ? std::atoi(argv[1]) : 0;
  if (count < 1) {
    std::fprintf(stderr, "usage: replica_mcp COUNT\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  limpet::bench::lift_descriptor_limit();
  limpet::bench::Replicas(static_cast<size_t>(count)).run();
}
