// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/redis_link.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace limpet::mcp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = RedisLink::State;

// A loop of one thread, edge-triggered like the worker's.
class Loop final : public DescriptorWatches {
 public:
  Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) { ::signal(SIGPIPE, SIG_IGN); }
  ~Loop() override { ::close(epoll_); }

  std::unique_ptr<DescriptorWatch> make(DescriptorWatch::Owner& owner) override {
    return std::make_unique<Watch>(*this, owner);
  }
  Instant now() const noexcept override { return monotonic_now() + skipped; }

  // Turns until it is so; false after ten seconds.
  [[nodiscard]] bool until(const std::function<bool()>& is_so) {
    const Instant deadline = monotonic_now() + seconds(10);
    while (!is_so()) {
      if (monotonic_now() > deadline) return false;
      turn();
    }
    return true;
  }

  Duration skipped{0};  // time that the test lets pass

 private:
  class Watch final : public DescriptorWatch {
   public:
    Watch(Loop& loop, Owner& owner) : loop_(loop), owner_(owner) { loop_.watches_.push_back(this); }
    ~Watch() override {
      stop();
      std::erase(loop_.watches_, this);
    }
    void start(int descriptor) override {
      stop();
      descriptor_ = descriptor;
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      event.data.ptr = this;
      REQUIRE(::epoll_ctl(loop_.epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0);
    }
    void stop() noexcept override {
      if (descriptor_ >= 0) ::epoll_ctl(loop_.epoll_, EPOLL_CTL_DEL, descriptor_, nullptr);
      descriptor_ = -1;
    }
    void set_alarm(Instant at) override { alarm_ = at; }

    Loop& loop_;
    Owner& owner_;
    int descriptor_ = -1;
    Instant alarm_ = kNever;
  };

  void turn() {
    epoll_event event{};
    if (::epoll_wait(epoll_, &event, 1, 5) == 1)
      static_cast<Watch*>(event.data.ptr)->owner_.on_edge();
    for (Watch* watch : std::vector<Watch*>(watches_)) {
      if (watch->alarm_ > now()) continue;
      watch->alarm_ = kNever;
      watch->owner_.on_alarm();
    }
  }

  int epoll_;
  std::vector<Watch*> watches_;
};

// A socket bound to a port of the kernel's choice on the loopback.
class Port {
 public:
  Port() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    number = ntohs(address.sin_port);
  }
  ~Port() { close(); }
  void listen() const { REQUIRE(::listen(descriptor_, 8) == 0); }
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  [[nodiscard]] RedisAddress address() const {
    return parse_redis_address("redis://127.0.0.1:" + std::to_string(number)).value();
  }
  std::uint16_t number = 0;

 private:
  int descriptor_;
};

class RedisServer {
 public:
  explicit RedisServer(std::uint16_t port, std::vector<std::string> more = {}) {
    std::array<char, 32> place{"/tmp/limpet-redis-XXXXXX"};
    REQUIRE(::mkdtemp(place.data()) != nullptr);
    folder = place.data();
    std::vector<std::string> words = {"redis-server",
                                      "--port",
                                      std::to_string(port),
                                      "--bind",
                                      "127.0.0.1",
                                      "--save",
                                      "",
                                      "--daemonize",
                                      "no",
                                      "--dir",
                                      folder,
                                      "--unixsocket",
                                      socket()};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (std::string& word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      ::dup2(nowhere, 1);
      ::dup2(nowhere, 2);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  ~RedisServer() {
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder);
  }
  void signal(int number) const { ::kill(pid_, number); }
  [[nodiscard]] std::string socket() const { return folder + "/redis.sock"; }
  std::string folder;

 private:
  pid_t pid_ = -1;
};

struct Answers {
  RedisLink::OnAnswer take() {
    return [this](const RedisAnswer& answer) { all.push_back(answer); };
  }
  std::vector<RedisAnswer> all;
};

constexpr RedisBounds kQuick{.answer_within = seconds(5),
                             .connect_within = seconds(5),
                             .retry_first = milliseconds(20),
                             .retry_last = milliseconds(100),
                             .pending_max = 4};

// One command and its answer.
RedisAnswer got(Loop& loop, RedisLink& link, std::string_view key) {
  Answers answers;
  link.get(key, answers.take());
  REQUIRE(loop.until([&] { return !answers.all.empty(); }));
  return answers.all.front();
}

TEST_CASE("values are set, read, removed, and end by themselves") {
  Port port;
  const RedisAddress address = port.address();
  port.close();
  const RedisServer server(port.number);
  Loop loop;
  Gauge is_up;
  Counter done;
  Counter failed;
  Counter connects;
  RedisLink link(address, kQuick, loop, {&is_up, &done, &failed, &connects});
  REQUIRE_MESSAGE(loop.until([&] { return link.state() == State::kUp; }),
                  "redis-server did not start");
  CHECK(is_up.value() == 1);
  CHECK(link.trouble().empty());

  Answers answers;
  const std::string value("a\0\r\n$5", 6);
  link.set("k", value, seconds(100), answers.take());
  link.get("k", answers.take());
  link.get("none", answers.take());
  REQUIRE(loop.until([&] { return answers.all.size() == 3; }));
  CHECK(answers.all[0].kind == RedisAnswer::Kind::kDone);
  CHECK(answers.all[1].kind == RedisAnswer::Kind::kValue);
  CHECK(answers.all[1].value == value);
  CHECK(answers.all[2].kind == RedisAnswer::Kind::kMissing);
  link.remove("k", answers.take());
  REQUIRE(loop.until([&] { return answers.all.size() == 4; }));
  CHECK(got(loop, link, "k").kind == RedisAnswer::Kind::kMissing);

  link.set("short", "v", seconds(1), answers.take());
  CHECK(loop.until([&] { return got(loop, link, "short").kind == RedisAnswer::Kind::kMissing; }));
  CHECK(failed.value() == 0);
  CHECK(done.value() > 5);
}

TEST_CASE("large values and many commands at once keep their order") {
  Port port;
  const RedisAddress address = port.address();
  port.close();
  const RedisServer server(port.number);
  Loop loop;
  RedisBounds bounds = kQuick;
  bounds.pending_max = 1000;
  RedisLink link(address, bounds, loop, {});
  REQUIRE(loop.until([&] { return link.state() == State::kUp; }));
  Answers answers;
  const std::string large(4 * 1024 * 1024, 'x');
  link.set("large", large, seconds(100), answers.take());
  for (int i = 0; i < 300; ++i)
    link.set("k" + std::to_string(i), std::to_string(i), seconds(100), answers.take());
  for (int i = 0; i < 300; ++i)
    link.get("k" + std::to_string(i), answers.take());
  link.get("large", answers.take());
  REQUIRE(loop.until([&] { return answers.all.size() == 602; }));
  for (std::size_t i = 0; i < 300; ++i)
    CHECK(answers.all[301 + i].value == std::to_string(i));
  CHECK(answers.all.back().value == large);
}

TEST_CASE("nobody there: commands fail at once, and the link comes up by itself later") {
  Port port;
  const RedisAddress address = port.address();
  port.close();
  Loop loop;
  Gauge is_up;
  Counter failed;
  Counter connects;
  RedisLink link(address, kQuick, loop, {&is_up, nullptr, &failed, &connects});
  REQUIRE(loop.until([&] { return connects.value() >= 3; }));
  REQUIRE(loop.until([&] { return link.state() == State::kDown; }));
  CHECK_FALSE(link.trouble().empty());
  Answers answers;
  link.get("k", answers.take());
  REQUIRE(answers.all.size() == 1);
  CHECK(answers.all[0].kind == RedisAnswer::Kind::kFailed);
  CHECK(failed.value() == 1);
  CHECK(is_up.value() == 0);
  const RedisServer server(port.number);
  CHECK(loop.until([&] { return link.state() == State::kUp; }));
  CHECK(is_up.value() == 1);
}

TEST_CASE("a Redis that dies fails what it owes, and is found again") {
  Port port;
  const RedisAddress address = port.address();
  port.close();
  auto server = std::make_unique<RedisServer>(port.number);
  Loop loop;
  RedisLink link(address, kQuick, loop, {});
  REQUIRE(loop.until([&] { return link.state() == State::kUp; }));
  server->signal(SIGSTOP);
  Answers answers;
  for (int i = 0; i < 6; ++i)
    link.get("k", answers.take());
  CHECK(answers.all.size() == 2);  // beyond pending_max
  server.reset();
  REQUIRE(loop.until([&] { return answers.all.size() == 6; }));
  for (const RedisAnswer& answer : answers.all)
    CHECK(answer.kind == RedisAnswer::Kind::kFailed);
  CHECK(link.state() != State::kUp);
  CHECK(link.trouble().find("in time") == std::string::npos);
  const RedisServer next(port.number);
  REQUIRE(loop.until([&] { return link.state() == State::kUp; }));
  CHECK(got(loop, link, "k").kind == RedisAnswer::Kind::kMissing);
}

TEST_CASE("a Redis that is silent is given up in time") {
  Port port;
  port.listen();  // takes connections, says nothing
  Loop loop;
  RedisLink link(port.address(), kQuick, loop, {});
  CHECK(link.state() == State::kConnecting);
  loop.skipped = seconds(6);
  REQUIRE(loop.until([&] { return link.state() == State::kDown; }));
  CHECK(link.trouble().find("in time") != std::string::npos);
}

TEST_CASE("password and database are told first, a wrong password is trouble") {
  Port port;
  const std::string number = std::to_string(port.number);
  port.close();
  const RedisServer server(port.number, {"--requirepass", "secret"});
  Loop loop;
  RedisLink right(parse_redis_address("redis://:secret@127.0.0.1:" + number + "/5").value(), kQuick,
                  loop, {});
  REQUIRE(loop.until([&] { return right.state() == State::kUp; }));
  CHECK(got(loop, right, "k").kind == RedisAnswer::Kind::kMissing);
  RedisLink wrong(parse_redis_address("redis://:guess@127.0.0.1:" + number).value(), kQuick, loop,
                  {});
  REQUIRE(loop.until([&] { return wrong.trouble().find("refuses") != std::string::npos; }));
  CHECK(wrong.state() != State::kUp);
}

TEST_CASE("a Unix socket does as well") {
  const RedisServer server(0);
  Loop loop;
  RedisLink link(parse_redis_address("redis+unix://" + server.socket()).value(), kQuick, loop, {});
  REQUIRE(loop.until([&] { return link.state() == State::kUp; }));
  CHECK(got(loop, link, "k").kind == RedisAnswer::Kind::kMissing);
}

TEST_CASE("a link may die with commands under way, and an answer may ask for more") {
  Port port;
  const RedisAddress address = port.address();
  port.close();
  const RedisServer server(port.number);
  Loop loop;
  auto link = std::make_unique<RedisLink>(address, kQuick, loop, RedisNumbers{});
  REQUIRE(loop.until([&] { return link->state() == State::kUp; }));
  Answers answers;
  link->get("a", [&](const RedisAnswer&) { link->get("b", answers.take()); });
  REQUIRE(loop.until([&] { return answers.all.size() == 1; }));
  server.signal(SIGSTOP);
  link->get("c", answers.take());
  link.reset();
  CHECK(answers.all.size() == 1);
}

}  // namespace
}  // namespace limpet::mcp
