// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/http_service.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/event/timer.h"
#include "tests/unit/control/turns.h"

using namespace limpet;
using limpet::control::HttpService;
using limpet::control::Reply;
using limpet::control::Request;
using limpet::control::Response;

namespace {

Response words(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

/// A service that says what it was asked.
struct Echo {
  Loop loop;
  HttpService service{
      loop, [this](const Request& request, const Reply& reply) {
        requests.push_back(std::string(request.method) + " " + std::string(request.path) + "?" +
                           std::string(request.query) + " " + std::string(request.host));
        bodies.emplace_back(request.body);
        if (request.path == "/later") {
          later = reply;
          is_gone = request.is_gone;
        } else {
          reply(words("body of " + std::string(request.path) + "\n"));
        }
      }};
  Address address;
  std::vector<std::string> requests;
  std::vector<std::string> bodies;
  Reply later;
  std::function<bool()> is_gone;

  Echo() {
    Fd listening = test::listen_somewhere();
    address = local_address(listening.number());
    service.listen(std::move(listening));
  }
};

/// Wakes the loop once.
struct Alarm final : Timer::Owner {
  Alarm(Loop& loop, Duration after) : timer(*this) {
    timer.arm(loop.timers(), monotonic_now() + after);
  }
  void on_timer(Timer&) override { has_rung = true; }
  Timer timer;
  bool has_rung = false;
};

}  // namespace

TEST_CASE("http service: a request is answered with its length and the connection goes on") {
  Echo echo;
  test::Caller caller(echo.loop, echo.address);
  REQUIRE(caller.say("GET /a?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  CHECK(caller.hear("body of /a\n").find("200 OK\r\n") != std::string::npos);
  CHECK(caller.heard.find("content-length: 11\r\n") != std::string::npos);
  REQUIRE(caller.say("POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd"));
  caller.hear("body of /b\n");
  REQUIRE(echo.requests.size() == 2);
  CHECK(echo.requests[0] == "GET /a?x=1 localhost");
  CHECK(echo.bodies[1] == "abcd");
}

TEST_CASE("http service: two requests in one write are answered in order") {
  Echo echo;
  test::Caller caller(echo.loop, echo.address);
  REQUIRE(caller.say("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"));
  const std::string& heard = caller.hear("body of /2\n");
  CHECK(heard.find("body of /1\n") < heard.find("body of /2\n"));
}

TEST_CASE("http service: an answer may come in a later turn, or never") {
  Echo echo;
  test::Caller caller(echo.loop, echo.address);
  REQUIRE(caller.say("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
  REQUIRE(test::turn_until(echo.loop, [&] { return static_cast<bool>(echo.later); }));
  for (int turn = 0; turn < 3; ++turn) {
    const test::Pulse pulse(echo.loop);
    echo.loop.turn();
  }
  echo.later(words("at last\n"));
  CHECK(caller.hear("at last\n").find("200") != std::string::npos);

  Reply orphan;
  {
    test::Caller second(echo.loop, echo.address);
    echo.later = nullptr;
    REQUIRE(second.say("GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    REQUIRE(test::turn_until(echo.loop, [&] { return static_cast<bool>(echo.later); }));
    orphan = echo.later;
    orphan(words("once\n"));
    orphan(words("twice\n"));
    CHECK(second.hear("never").find("twice") == std::string::npos);
    CHECK(second.is_over);
  }
  REQUIRE(test::turn_until(echo.loop, [&] { return echo.service.connections() == 1; }));
  orphan(words("nobody hears this\n"));
}

TEST_CASE("http service: who hangs up while the answer is due is noticed and makes room") {
  Echo echo;
  {
    test::Caller caller(echo.loop, echo.address);
    REQUIRE(caller.say("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(test::turn_until(echo.loop, [&] { return static_cast<bool>(echo.later); }));
    CHECK(!echo.is_gone());
    REQUIRE(caller.say("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
    echo.later(words("first\n"));
    caller.hear("body of /next\n");  // what is sent ahead waits for its turn
    CHECK(caller.heard.find("first\n") < caller.heard.find("body of /next\n"));
    CHECK(!echo.is_gone());

    REQUIRE(caller.say("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(test::turn_until(echo.loop, [&] { return echo.requests.size() == 3; }));
    caller.hang_up();
  }
  REQUIRE(test::turn_until(echo.loop, [&] { return echo.service.connections() == 0; }));
  CHECK(echo.is_gone());
  echo.later(words("nobody hears this\n"));
}

TEST_CASE("http service: without descriptors it rests between attempts, then serves who waited") {
  Echo echo;
  test::Caller caller(echo.loop, echo.address);  // the kernel's queue has it
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const Fd lowest(::dup(0));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest.number());
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  int turns = 0;
  Alarm alarm(echo.loop, std::chrono::milliseconds(250));
  for (; !alarm.has_rung; ++turns)
    echo.loop.turn();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(echo.service.connections() == 0);
  CHECK(turns < 50);  // a watch that tells all the time turns thousands of times
  REQUIRE(caller.say("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(caller.hear("body of /a\n").find("200 OK\r\n") != std::string::npos);
}

TEST_CASE("http service: HEAD has no body, HTTP/1.0 ends after its answer") {
  Echo echo;
  test::Caller head(echo.loop, echo.address);
  REQUIRE(head.say("HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  CHECK(head.hear("never").find("body of") == std::string::npos);
  CHECK(head.is_over);
  test::Caller old(echo.loop, echo.address);
  REQUIRE(old.say("GET /a HTTP/1.0\r\n\r\n"));
  CHECK(old.hear("never").find("body of /a") != std::string::npos);
  CHECK(old.is_over);
}

TEST_CASE("http service: malformed requests get 400 and the end, large bodies 413") {
  Echo echo;
  test::Caller bad(echo.loop, echo.address);
  REQUIRE(bad.say("GET / HTTP/1.1\r\nHost : a\r\n\r\n"));
  CHECK(bad.hear("never").find("HTTP/1.1 400") == 0);
  CHECK(bad.is_over);
  test::Caller large(echo.loop, echo.address);
  REQUIRE(large.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"));
  const std::string piece(HttpService::kBodyBytesMax / 2 + 1, 'x');
  REQUIRE(large.say(piece));
  REQUIRE(large.say(piece));
  CHECK(large.hear("1 MiB").find("HTTP/1.1 413") == 0);
  CHECK(echo.requests.empty());
}

TEST_CASE("http service: connections beyond the most are closed at once") {
  Echo echo;
  std::vector<std::unique_ptr<test::Caller>> callers;
  for (std::size_t i = 0; i < HttpService::kConnectionsMax; ++i) {
    callers.push_back(std::make_unique<test::Caller>(echo.loop, echo.address));
  }
  REQUIRE(test::turn_until(
      echo.loop, [&] { return echo.service.connections() == HttpService::kConnectionsMax; }));
  test::Caller one_more(echo.loop, echo.address);
  one_more.hear("never");
  CHECK(one_more.is_over);
  callers.clear();
  CHECK(test::turn_until(echo.loop, [&] { return echo.service.connections() == 0; }));
}

TEST_CASE("http service: queries and paths are decoded") {
  CHECK(control::query_value("a=1&pa%74h=x%20y&b", "path") == "x y");
  CHECK(control::query_value("a=1&b", "b").empty());
  CHECK(control::query_value("a=1", "c").empty());
  CHECK(control::percent_decoded("%4") == "%4");
  CHECK(control::percent_decoded("%zz%41") == "%zzA");
  const auto segments = control::path_segments("/v1/replicas/web/10.0.0.1%3A80/drain");
  REQUIRE(segments.size() == 5);
  CHECK(segments[3] == "10.0.0.1:80");
}
