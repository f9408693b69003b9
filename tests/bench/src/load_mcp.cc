// SPDX-License-Identifier: Apache-2.0
// MCP clients: many sessions over a few keep-alive connections, each connection in a closed loop.
//
//   load_mcp PORT CONNECTIONS    obeys the lines of its input; prints two lines of JSON for each:
//
//   open N         N more sessions: initialize at /mcp, then notifications/initialized
//   open-plain N   N more that get their cookie by a POST at /plain
//   call R         R times tools/call, the sessions in turn; where there is a connection for each,
//                  every session stays on its own, as the sessions of real clients do
//   churn SECONDS MEAN_SECONDS
//                  the sessions live 0.5 to 1.5 times the mean, end with DELETE, and others take
//                  their places
//
// A call is `done` if the answer is its own, 200, with the text it sent. `moved`: the answer came
// from another replica than the session's last one did; `moved_seconds`: from the command to the
// last such answer. Other answers are counted by status in `refused`.

#include <charconv>
#include <csignal>
#include <deque>
#include <iostream>
#include <queue>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <strings.h>

#include "tests/bench/src/socket.h"
#include "tests/bench/src/tally.h"

namespace limpet::bench {
namespace {

using std::chrono::milliseconds;
using Seconds = std::chrono::duration<double>;

constexpr size_t kBufferBytes = 64 * 1024;
constexpr milliseconds kSilenceMax(20'000);
constexpr std::string_view kText =
    "sixty-four bytes of text that the tool is asked to say once more";
constexpr std::string_view kHeaders =
    "Host: bench.example\r\nUser-Agent: load\r\nContent-Type: application/json\r\n"
    "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n";

enum class Kind { kInitialize, kInitialized, kCall, kOpenPlain, kDelete };

struct Task {
  Kind kind;
  size_t session;
};

struct Session {
  bool is_plain = false;
  std::string key;  // the field that the requests carry: Mcp-Session-Id or Cookie, with its CRLF
  std::string replica;
};

struct Connection {
  int fd = -1;
  bool is_busy = false;
  Task task{};
  uint64_t id = 0;  // of the JSON-RPC request
  Clock::time_point sent_at;
  std::string input;
};

struct Answer {
  int status = 0;
  std::string_view replica, session, cookie, body;
};

struct Ending {
  Clock::time_point at;
  size_t session;
  bool operator<(const Ending& other) const { return at > other.at; }  // the first is the top
};

class Load {
 public:
  Load(uint16_t port, size_t connections)
      : port_(port), connections_(connections), own_tasks_(connections) {
    for (size_t i = 0; i < connections; ++i)
      connect(i);
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    double amount = 0, mean = 0;
    words >> command >> amount >> mean;
    tally_ = Tally{};
    refused_.clear();
    moved_seconds_ = 0;
    began_ = Clock::now();
    if (command == "churn") {
      churn(Seconds(amount), Seconds(mean));
    } else {
      begin(command, static_cast<size_t>(amount));
      drive({});
    }
    tally_.elapsed = Clock::now() - began_;
    print();
  }

 private:
  // --- what is to do --------------------------------------------------------------------------

  void begin(const std::string& command, size_t amount) {
    for (size_t i = 0; i < amount; ++i) {
      if (command == "call") {
        const size_t session = i % sessions_.size();
        const bool has_own = sessions_.size() <= connections_.size();
        (has_own ? own_tasks_[session] : tasks_).push_back({Kind::kCall, session});
        continue;
      }
      const bool is_plain = command == "open-plain";
      sessions_.push_back({is_plain, {}, {}});
      tasks_.push_back({is_plain ? Kind::kOpenPlain : Kind::kInitialize, sessions_.size() - 1});
    }
  }

  void churn(Seconds duration, Seconds mean) {
    mean_life_ = mean;
    const Clock::time_point end = began_ + std::chrono::duration_cast<Clock::duration>(duration);
    // The sessions that are there are of all ages.
    std::uniform_real_distribution<double> rest(0, 1);
    for (size_t i = 0; i < sessions_.size(); ++i)
      ends_.push({began_ + std::chrono::duration_cast<Clock::duration>(mean * rest(random_)), i});
    drive(end);
    ends_ = {};
    mean_life_ = Seconds(0);
  }

  // Until all is done; or, with an end, until then.
  void drive(Clock::time_point end) {
    const bool is_timed = end != Clock::time_point{};
    for (;;) {
      const auto now = Clock::now();
      while (now < end && !ends_.empty() && ends_.top().at <= now) {
        tasks_.push_back({Kind::kDelete, ends_.top().session});
        ends_.pop();
      }
      const size_t busy = give_tasks();
      if (busy == 0 && now >= end) return;
      milliseconds patience = kSilenceMax;
      if (is_timed && now < end) {
        const auto next = ends_.empty() ? end : std::min(end, ends_.top().at);
        patience = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(next - now));
      }
      const auto ready = poller_.wait(patience);
      if (ready.empty() && busy > 0 && patience == kSilenceMax) return give_up();
      for (const epoll_event& event : ready)
        on_readable(connections_[by_fd_[static_cast<size_t>(event.data.fd)]]);
    }
  }

  // How many connections have one.
  size_t give_tasks() {
    for (size_t i = idle_.size(); i-- > 0;) {
      std::deque<Task>& own = own_tasks_[idle_[i]];
      std::deque<Task>& tasks = own.empty() ? tasks_ : own;
      if (tasks.empty()) continue;
      Connection& c = connections_[idle_[i]];
      idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
      c.task = tasks.front();
      tasks.pop_front();
      send_task(c);
    }
    return connections_.size() - idle_.size();
  }

  // Nothing came for too long: what was asked is lost.
  void give_up() {
    for (Connection& c : connections_)
      if (c.is_busy) on_broken(c);
    tasks_.clear();
    for (std::deque<Task>& own : own_tasks_)
      own.clear();
  }

  // --- one request ----------------------------------------------------------------------------

  void connect(size_t index) {
    const int fd = connect_to(port_);
    if (fd < 0) die("connect");
    connections_[index] = Connection{};
    connections_[index].fd = fd;
    if (by_fd_.size() <= static_cast<size_t>(fd)) by_fd_.resize(static_cast<size_t>(fd) + 1);
    by_fd_[static_cast<size_t>(fd)] = index;
    poller_.watch(fd, EPOLLIN);
    idle_.push_back(index);
  }

  void send_task(Connection& c) {
    c.is_busy = true;
    c.id = ++last_id_;
    c.sent_at = Clock::now();
    const Session& session = sessions_[c.task.session];
    const std::string body = body_of(c);
    request_ = c.task.kind == Kind::kDelete ? "DELETE " : "POST ";
    request_ += session.is_plain ? "/plain" : "/mcp";
    request_.append(" HTTP/1.1\r\n").append(kHeaders).append(session.key);
    if (!body.empty()) request_ += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    request_.append("\r\n").append(body);
    send(c.fd, request_.data(), request_.size(), MSG_NOSIGNAL);  // if it fails, the close will tell
  }

  static std::string body_of(const Connection& c) {
    const std::string start = R"({"jsonrpc":"2.0","id":)" + std::to_string(c.id) + ",";
    switch (c.task.kind) {
      case Kind::kInitialize:
        return start +
               R"("method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},)"
               R"("clientInfo":{"name":"load","version":"1"}}})";
      case Kind::kInitialized:
        return R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
      case Kind::kDelete:
        return {};
      case Kind::kCall:
      case Kind::kOpenPlain:
        break;
    }
    return start + R"("method":"tools/call","params":{"name":"echo","arguments":{"text":")" +
           std::string(kText) + R"("}}})";
  }

  void on_readable(Connection& c) {
    const ssize_t received = recv(c.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) return on_broken(c);
    tally_.bytes += static_cast<uint64_t>(received);
    c.input.append(buffer_.data(), static_cast<size_t>(received));
    const size_t end = c.input.find("\r\n\r\n");
    if (end == std::string::npos) return;
    Answer answer;
    const size_t body_bytes = read_head(std::string_view(c.input).substr(0, end + 2), answer);
    if (c.input.size() < end + 4 + body_bytes) return;
    answer.body = std::string_view(c.input).substr(end + 4, body_bytes);
    on_answer(c, answer);
    c.is_busy = false;
    c.input.clear();
    idle_.push_back(by_fd_[static_cast<size_t>(c.fd)]);
  }

  static size_t read_head(std::string_view head, Answer& answer) {
    size_t body_bytes = 0;
    std::from_chars(head.data() + std::min<size_t>(9, head.size()), head.data() + head.size(),
                    answer.status);
    while (!head.empty()) {
      const std::string_view line = head.substr(0, head.find("\r\n"));
      head.remove_prefix(line.size() + 2);
      const size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      std::string_view value = line.substr(colon + 1);
      while (value.starts_with(' '))
        value.remove_prefix(1);
      const auto is = [&](std::string_view name) {
        return colon == name.size() && strncasecmp(line.data(), name.data(), colon) == 0;
      };
      if (is("content-length")) {
        std::from_chars(value.data(), value.data() + value.size(), body_bytes);
      } else if (is("x-replica")) {
        answer.replica = value;
      } else if (is("mcp-session-id")) {
        answer.session = value;
      } else if (is("set-cookie")) {
        answer.cookie = value.substr(0, value.find(';'));
      }
    }
    return body_bytes;
  }

  void on_answer(Connection& c, const Answer& answer) {
    Session& session = sessions_[c.task.session];
    if (answer.status / 100 != 2) {
      ++refused_[std::to_string(answer.status)];
      return on_refused(c.task);
    }
    note_replica(session, answer.replica);
    switch (c.task.kind) {
      case Kind::kInitialize:
        session.key = "Mcp-Session-Id: " + std::string(answer.session) + "\r\n";
        return tasks_.push_front({Kind::kInitialized, c.task.session});
      case Kind::kOpenPlain:
        session.key = "Cookie: " + std::string(answer.cookie) + "\r\n";
        break;
      case Kind::kInitialized:
        live_on(c.task.session);
        break;
      case Kind::kDelete:
        replace(c.task.session);
        break;
      case Kind::kCall:
        if (answer.body.find(kText) == std::string_view::npos ||
            answer.body.find("\"id\":" + std::to_string(c.id)) == std::string_view::npos) {
          ++tally_.errors;
          return;
        }
        break;
    }
    ++tally_.done;
    tally_.delays.push_back(Clock::now() - c.sent_at);
  }

  void note_replica(Session& session, std::string_view replica) {
    ++tally_.answers[std::string(replica)];
    if (!session.replica.empty() && replica != session.replica) {
      ++tally_.moved;
      moved_seconds_ = Seconds(Clock::now() - began_).count();
    }
    session.replica = replica;
  }

  void on_refused(const Task& task) {
    if (mean_life_ > Seconds(0)) replace(task.session);
  }

  void live_on(size_t session) {
    if (mean_life_ == Seconds(0)) return;
    std::uniform_real_distribution<double> share(0.5, 1.5);
    ends_.push(
        {Clock::now() + std::chrono::duration_cast<Clock::duration>(mean_life_ * share(random_)),
         session});
  }

  void replace(size_t session) {
    sessions_[session] = Session{};
    tasks_.push_back({Kind::kInitialize, session});
  }

  void on_broken(Connection& c) {
    if (c.is_busy) {
      ++tally_.errors;
      on_refused(c.task);
    }
    const size_t index = by_fd_[static_cast<size_t>(c.fd)];
    std::erase(idle_, index);
    close(c.fd);
    connect(index);
  }

  void print() {
    std::printf("{\"sessions\": %zu, \"moved_seconds\": %.6f, \"refused\": {", sessions_.size(),
                moved_seconds_);
    const char* separator = "";
    for (const auto& [status, count] : refused_) {
      std::printf("%s\"%s\": %llu", separator, status.c_str(),
                  static_cast<unsigned long long>(count));
      separator = ", ";
    }
    std::printf("}}\n");
    tally_.print();
  }

  uint16_t port_;
  Poller poller_;
  std::vector<Connection> connections_;
  std::vector<size_t> by_fd_, idle_;  // of connections_
  std::vector<Session> sessions_;
  std::deque<Task> tasks_;
  std::vector<std::deque<Task>> own_tasks_;  // by connection: what no other one does
  std::priority_queue<Ending> ends_;
  Seconds mean_life_{0};  // while there is churn
  Clock::time_point began_;
  double moved_seconds_ = 0;
  uint64_t last_id_ = 0;
  std::mt19937 random_{4};
  std::map<std::string, uint64_t> refused_;
  Tally tally_;
  std::string request_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
};

}  // namespace
}  // namespace limpet::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: load_mcp PORT CONNECTIONS\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  limpet::bench::lift_descriptor_limit();
  limpet::bench::Load load(static_cast<uint16_t>(std::atoi(argv[1])),
                           static_cast<size_t>(std::atoi(argv[2])));
  for (std::string line; std::getline(std::cin, line);)
    load.obey(line);
}
