// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/control.h"

#include <optional>
#include <string>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "tests/unit/control/fake_process.h"

using namespace limpet;
using limpet::control::Control;
using limpet::control::Response;

namespace {

struct Scene {
  Loop loop;
  test::FakeProcess process;
  Control control{loop, process};
  std::optional<Response> last;

  const Response& ask(std::string_view method, std::string_view path, std::string_view query = {},
                      std::string_view body = {}) {
    last.reset();
    control::Request request;
    request.method = method;
    request.path = path;
    request.query = query;
    request.body = body;
    control.answer(request, [this](Response response) { last = std::move(response); });
    static const Response nothing{0, {}, {}, {}};
    return last ? *last : nothing;
  }
  bool says(std::string_view words) const {
    return last && last->body.find(words) != std::string::npos;
  }
};

}  // namespace

TEST_CASE("control: views are shown, of one pool where one is named") {
  Scene scene;
  CHECK(scene.ask("GET", "/v1/status").status == 200);
  CHECK(scene.says("\"revision\": 7"));
  CHECK(scene.says("\"busy_percent\": 25"));
  CHECK(scene.ask("GET", "/v1/replicas", "pool=mcp").status == 200);
  CHECK(scene.says("\"id\": \"c\""));
  CHECK(!scene.says("\"id\": \"b\""));
  CHECK(scene.ask("GET", "/v1/replicas", "pool=wep").status == 404);
  CHECK(scene.says("did you mean \\\"web\\\"?"));
  CHECK(scene.ask("GET", "/v1/config", "path=pool.web").status == 200);
  CHECK(scene.says("[pool.web]"));
  CHECK(scene.ask("GET", "/v1/config", "path=pool.x").status == 404);
  CHECK(scene.ask("GET", "/v1/nothing").status == 404);
  CHECK(scene.ask("DELETE", "/v1/status").status == 405);
}

TEST_CASE("control: outcomes and causes of affinity are counted by pool") {
  Scene scene;
  const auto count = [&](const char* outcome, const char* cause, std::uint64_t n) {
    scene.process.metrics
        .counter("limpet_affinity_total", {{"pool", "web"}, {"outcome", outcome}, {"cause", cause}})
        .add(n);
  };
  count("hit", "", 5);
  count("moved", "gone", 2);
  count("moved", "down", 1);
  scene.ask("GET", "/v1/pools");
  CHECK(scene.says("\"hit\": 5"));
  CHECK(scene.says("\"moved\": 3"));
  CHECK(scene.says("\"gone\": 2"));
}

TEST_CASE("control: a replica is drained, downed and made ready, in the pool that is meant") {
  Scene scene;
  CHECK(scene.ask("POST", "/v1/replicas/web/b/drain").status == 200);
  CHECK(scene.process.vitals(0, 1).admin == AdminState::kDrain);
  CHECK(scene.process.wakes == 1);
  CHECK(scene.ask("POST", "/v1/replicas/-/c/down").status == 200);
  CHECK(scene.process.vitals(1, 1).admin == AdminState::kDown);
  CHECK(scene.ask("POST", "/v1/replicas/-/a/drain").status == 200);
  CHECK(scene.process.vitals(0, 0).admin == AdminState::kDrain);
  CHECK(scene.process.vitals(1, 0).admin == AdminState::kDrain);
  CHECK(scene.ask("POST", "/v1/replicas/-/x/drain").status == 404);
  CHECK(scene.says("at different addresses; say --pool web or --pool mcp"));
  CHECK(scene.process.vitals(0, 2).admin == AdminState::kReady);
  CHECK(scene.ask("POST", "/v1/replicas/web/b/ready").status == 200);
  CHECK(scene.process.vitals(0, 1).admin == AdminState::kReady);
  CHECK(scene.ask("POST", "/v1/replicas/web/zz/drain").status == 404);
  CHECK(scene.says("there are: a, b, x"));
  CHECK(scene.ask("POST", "/v1/replicas/web/b/asleep").status == 404);
}

TEST_CASE("control: waiting for a drain ends when nothing is left, or in time") {
  Scene scene;
  Vitals& vitals = scene.process.vitals(0, 1);
  vitals.share(0).in_flight = 2;
  CHECK(scene.ask("POST", "/v1/replicas/web/b/drain", "wait_seconds=60").status == 0);
  scene.control.tick();
  CHECK(!scene.last);
  vitals.share(0).in_flight = 0;
  scene.control.tick();
  REQUIRE(scene.last);
  CHECK(scene.says("\"drained\": true"));

  vitals.share(0).in_flight = 1;
  CHECK(scene.ask("POST", "/v1/replicas/web/b/drain", "wait_seconds=60").status == 0);
  scene.process.clock += std::chrono::seconds(61);
  scene.control.tick();
  REQUIRE(scene.last);
  CHECK(scene.says("\"drained\": false"));

  // Sessions of a replica that is down are not waited for, running requests are.
  scene.process.add_session(0, 1);
  vitals.share(0).in_flight = 0;
  CHECK(scene.ask("POST", "/v1/replicas/web/b/drain", "wait_seconds=60").status == 0);
  CHECK(scene.ask("POST", "/v1/replicas/web/b/down", "wait_seconds=60").status == 200);
}

TEST_CASE("control: nobody waits for a client that has hung up") {
  Scene scene;
  scene.process.vitals(0, 1).share(0).in_flight = 1;
  bool is_gone = false;
  control::Request request;
  request.method = "POST";
  request.path = "/v1/replicas/web/b/drain";
  request.query = "wait_seconds=60";
  request.is_gone = [&is_gone] { return is_gone; };
  int answers = 0;
  scene.control.answer(request, [&answers](const Response&) { ++answers; });
  scene.control.tick();
  CHECK(scene.control.waiters() == 1);
  is_gone = true;
  scene.control.tick();
  CHECK(scene.control.waiters() == 0);
  CHECK(answers == 0);
}

TEST_CASE("control: affinity is switched and the answer says how to make it last") {
  Scene scene;
  CHECK(scene.ask("POST", "/v1/pools/web/affinity/none").status == 200);
  CHECK(scene.process.wished.first == "web");
  CHECK(scene.process.wished.second == RuntimeWishes::Affinity::kNone);
  CHECK(scene.says("from = []"));
  CHECK(scene.ask("POST", "/v1/pools/web/affinity/loose").status == 404);
  CHECK(scene.ask("POST", "/v1/pools/nope/affinity/none").status == 404);
  scene.process.affinity_outcome = {false, 7, "the chain has no affinity"};
  CHECK(scene.ask("POST", "/v1/pools/web/affinity/sticky").status == 409);
  CHECK(scene.says("the chain has no affinity"));
}

TEST_CASE("control: a reload is answered when it is done, with every mistake where it failed") {
  Scene scene;
  CHECK(scene.ask("POST", "/v1/reload").status == 0);
  scene.process.pending_reload({true, 8, "changed: nothing"});
  CHECK(scene.last->status == 200);
  scene.ask("POST", "/v1/reload");
  scene.process.pending_reload({false, 8, "limpet.toml:1:1: error: no\nlimpet.toml:2:1: error"});
  CHECK(scene.last->status == 422);
  CHECK(scene.says("limpet.toml:2:1: error"));
}

TEST_CASE("control: explain asks the plans of every pool, or of the one named") {
  Scene scene;
  const std::string_view question = R"({"kind":"cookie","name":"limpet","value":"a","pool":"mcp"})";
  CHECK(scene.ask("POST", "/v1/explain", {}, question).status == 200);
  CHECK(scene.says("\"rule\": \"cookie limpet\""));
  CHECK(!scene.says("\"pool\": \"web\""));
  scene.ask("POST", "/v1/explain", {}, R"({"kind":"session","value":"x"})");
  CHECK(scene.says("\"answered\": false"));
  CHECK(scene.ask("POST", "/v1/explain", {}, "[").status == 400);
  const auto of_address = [&](const std::string& value) {
    return scene.ask("POST", "/v1/explain", {}, R"({"kind":"client-ip","value":")" + value + "\"}")
        .status;
  };
  CHECK(of_address("nonsense") == 400);
  CHECK(scene.says("client-ip: "));
  CHECK(of_address("10.0.0.1:80") == 400);
  CHECK(of_address("10.0.0.1") == 200);
  CHECK(of_address("::ffff:10.0.0.1") == 200);
  CHECK(scene.ask("POST", "/v1/explain", {}, R"({"kind":"guess"})").status == 400);
}

TEST_CASE("control: this user may enter, and credentials come from the socket alone") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd here(ends[0]);
  const Fd there(ends[1]);
  CHECK(control::is_admitted(here.number(), "/nonexistent"));
  CHECK(!control::is_admitted(-1, "/nonexistent"));
}
