// SPDX-License-Identifier: Apache-2.0
#pragma once
// FakeRedis: a store on a socket that knows GET, SET, DEL and PING and answers when a test says so;
// or not at all. Not Redis: what the link makes of the real one, redis_link_test.cc asks.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "modules/mcp/redis_text.h"
#include "tests/unit/modules/mcp/mcp_rig.h"

namespace limpet::mcp::test {

/// One connection at a time.
class FakeRedis {
 public:
  FakeRedis() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listening_, reinterpret_cast<sockaddr*>(&place), sizeof place) == 0);
    socklen_t length = sizeof place;
    REQUIRE(::getsockname(listening_, reinterpret_cast<sockaddr*>(&place), &length) == 0);
    REQUIRE(::listen(listening_, 8) == 0);
    port_ = ntohs(place.sin_port);
  }
  ~FakeRedis() {
    if (peer_ >= 0) ::close(peer_);
    ::close(listening_);
  }
  FakeRedis(const FakeRedis&) = delete;
  FakeRedis& operator=(const FakeRedis&) = delete;

  [[nodiscard]] RedisAddress address() const {
    return parse_redis_address("redis://127.0.0.1:" + std::to_string(port_)).value();
  }
  /// Turns the link's descriptors and this store until it is so; false after ten seconds.
  [[nodiscard]] bool until(FakeWatches& watches, const std::function<bool()>& is_so) {
    const Instant deadline = monotonic_now() + std::chrono::seconds(10);
    while (!is_so()) {
      if (monotonic_now() > deadline) return false;
      turn();
      watches.edge();
    }
    return true;
  }

  std::map<std::string, std::string, std::less<>> held;
  std::vector<std::string> asked;  ///< the words of each command, joined by blanks
  bool is_silent = false;

 private:
  void turn() {
    pollfd wanted[2] = {{listening_, POLLIN, 0}, {peer_, POLLIN, 0}};
    if (::poll(wanted, 2, 1) <= 0) return;
    if (wanted[0].revents != 0) {
      if (peer_ >= 0) ::close(peer_);
      peer_ = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    char room[4096];
    const ssize_t came = peer_ < 0 ? -1 : ::read(peer_, room, sizeof room);
    if (came > 0) ahead_.append(room, static_cast<std::size_t>(came));
    while (answer_one())
      continue;
  }
  /// The line at `at`, which is moved behind it; false where it has not come.
  [[nodiscard]] bool line(std::size_t& at, std::string& found) const {
    const std::size_t end = ahead_.find("\r\n", at);
    if (end == std::string::npos) return false;
    found = ahead_.substr(at, end - at);
    at = end + 2;
    return true;
  }
  [[nodiscard]] bool answer_one() {
    std::size_t at = 0;
    std::string head;
    if (!line(at, head)) return false;
    std::vector<std::string> words;
    for (int left = std::stoi(head.substr(1)); left > 0; --left) {
      std::string length;
      if (!line(at, length)) return false;
      const auto bytes = static_cast<std::size_t>(std::stoul(length.substr(1)));
      if (ahead_.size() < at + bytes + 2) return false;
      words.push_back(ahead_.substr(at, bytes));
      at += bytes + 2;
    }
    ahead_.erase(0, at);
    std::string& all = asked.emplace_back();
    for (const std::string& word : words)
      all += (all.empty() ? "" : " ") + word;
    if (!is_silent || words[0] == "PING") say(words);
    return true;
  }
  void say(const std::vector<std::string>& words) {
    std::string out = "+OK\r\n";
    if (words[0] == "GET") {
      const auto found = held.find(words[1]);
      out = found == held.end()
                ? "$-1\r\n"
                : "$" + std::to_string(found->second.size()) + "\r\n" + found->second + "\r\n";
    } else if (words[0] == "SET") {
      held[words[1]] = words[2];
    } else if (words[0] == "DEL") {
      out = ":" + std::to_string(held.erase(words[1])) + "\r\n";
    }
    REQUIRE(::write(peer_, out.data(), out.size()) == static_cast<ssize_t>(out.size()));
  }

  int listening_;
  int peer_ = -1;
  std::uint16_t port_ = 0;
  std::string ahead_;
};

}  // namespace limpet::mcp::test
