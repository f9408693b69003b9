// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/prober.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/net/socket.h"
#include "tests/unit/control/turns.h"

using namespace limpet;

namespace {

/// What judges of a test saw, and what they are to say.
struct Bench {
  ProbeSpec spec;
  Duration pause = std::chrono::milliseconds(20);
  bool continues = true;
  std::vector<ProbeResult::Kind> kinds;
  std::vector<std::uint16_t> statuses;
  std::string incarnation;
  int judges = 0;
};

class BenchJudge final : public ProbeJudge {
 public:
  BenchJudge(Bench& bench, std::shared_ptr<Vitals> vitals)
      : bench_(bench), spec_(bench.spec), vitals_(std::move(vitals)) {
    ++bench_.judges;
  }
  const ProbeSpec& spec() const noexcept override { return spec_; }
  Duration first_delay() override { return Duration{0}; }
  Duration on_result(const ProbeResult& result, Instant, WallSeconds) override {
    bench_.kinds.push_back(result.kind);
    bench_.statuses.push_back(result.status);
    if (!result.incarnation.empty()) bench_.incarnation = result.incarnation;
    const bool is_good = result.status == 200 || result.kind == ProbeResult::Kind::kConnected;
    vitals_->health = is_good ? Health::kUp : Health::kDown;
    return bench_.pause;
  }
  bool continues(const ProbeJudge&) override { return bench_.continues; }

 private:
  Bench& bench_;
  ProbeSpec spec_;
  std::shared_ptr<Vitals> vitals_;
};

class BenchPlan final : public ModulePlan {
 public:
  explicit BenchPlan(Bench& bench) : bench_(bench) {}
  bool wants(Phase) const noexcept override { return false; }
  std::unique_ptr<Module> start(const ModuleServices&) const override { return nullptr; }
  std::unique_ptr<ProbeJudge> judge(const PoolFacts&, const Replica& replica) const override {
    return std::make_unique<BenchJudge>(bench_, replica.vitals);
  }

 private:
  Bench& bench_;
};

std::shared_ptr<const Snapshot> snapshot_of(Bench& bench, const Address& address,
                                            const std::shared_ptr<Vitals>& vitals) {
  auto snapshot = std::make_shared<Snapshot>();
  auto pool = std::make_unique<PoolPlan>();
  pool->facts.name = "web";
  Replica replica;
  replica.id = "a";
  replica.address = address;
  replica.vitals = vitals;
  pool->facts.replicas.push_back(replica);
  pool->chain.push_back({"health", std::make_unique<BenchPlan>(bench)});
  snapshot->pools.push_back(std::move(pool));
  return snapshot;
}

/// A prober, one replica's listening socket, and what is told.
struct Scene {
  Loop loop;
  MetricSet metrics;
  Bench bench;
  Fd listening = test::listen_somewhere();
  Address address = local_address(listening.number());
  std::shared_ptr<Vitals> vitals = std::make_shared<Vitals>(1);
  int changes = 0;
  Prober prober{loop, metrics};

  Scene() {
    prober.on_change([this] { ++changes; });
  }
  void adopt() { prober.adopt(snapshot_of(bench, address, vitals)); }
  bool turn_until_results(std::size_t count) {
    return test::turn_until(loop, [&] { return bench.kinds.size() >= count; });
  }
  /// Takes one probe's connection and answers it; what was asked.
  std::string answer(std::string_view text) {
    Fd probe;
    std::string asked;
    static_cast<void>(test::turn_until(loop, [&] {
      Address peer;
      if (!probe.is_open()) probe = accept_connection(listening.number(), peer);
      char bytes[2048];
      const ssize_t got = probe.is_open() ? ::recv(probe.number(), bytes, sizeof bytes, 0) : -1;
      if (got > 0) asked.append(bytes, static_cast<std::size_t>(got));
      return asked.find("\r\n\r\n") != std::string::npos;
    }));
    ::send(probe.number(), text.data(), text.size(), MSG_NOSIGNAL);
    const std::size_t before = bench.kinds.size();
    static_cast<void>(turn_until_results(before + 1));
    return asked;
  }
};

}  // namespace

TEST_CASE("prober: an HTTP probe asks the path and hands status and incarnation to the judge") {
  Scene scene;
  scene.bench.spec.path = "/healthz?deep=1";
  scene.adopt();
  const std::string asked =
      scene.answer("HTTP/1.1 200 OK\r\nLimpet-Incarnation: x7\r\nContent-Length: 900000\r\n\r\n");
  CHECK(asked.find("GET /healthz?deep=1 HTTP/1.1\r\n") == 0);
  CHECK(asked.find("host: " + scene.address.print() + "\r\n") != std::string::npos);
  CHECK(asked.find("connection: close\r\n") != std::string::npos);
  REQUIRE(scene.bench.kinds.size() == 1);
  CHECK(scene.bench.kinds[0] == ProbeResult::Kind::kAnswered);
  CHECK(scene.bench.statuses[0] == 200);
  CHECK(scene.bench.incarnation == "x7");
  CHECK(scene.changes == 1);
  scene.answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
  CHECK(scene.bench.statuses.back() == 503);
  CHECK(scene.changes == 2);
}

TEST_CASE("prober: an answer that is none is broken, silence is a timeout") {
  Scene scene;
  scene.bench.spec.timeout = std::chrono::milliseconds(50);
  scene.adopt();
  scene.answer("SSH-2.0-x\r\n\r\n");
  CHECK(scene.bench.kinds.back() == ProbeResult::Kind::kBroken);
  Fd silent;
  REQUIRE(test::turn_until(scene.loop, [&] {
    Address peer;
    if (!silent.is_open()) silent = accept_connection(scene.listening.number(), peer);
    return scene.bench.kinds.size() >= 2;
  }));
  CHECK(scene.bench.kinds[1] == ProbeResult::Kind::kTimeout);
}

TEST_CASE(
    "prober: TCP probes connect and end, a refused connect is told as such, both are counted") {
  Scene scene;
  scene.bench.spec.type = ProbeSpec::Type::kTcp;
  scene.adopt();
  REQUIRE(scene.turn_until_results(2));
  CHECK(scene.bench.kinds[0] == ProbeResult::Kind::kConnected);
  scene.listening.reset();
  REQUIRE(test::turn_until(
      scene.loop, [&] { return scene.bench.kinds.back() == ProbeResult::Kind::kRefused; }));
  const auto count = [&](const char* result) {
    return scene.metrics
        .counter("limpet_health_checks_total",
                 {{"pool", "web"}, {"replica", "a"}, {"result", result}})
        .value();
  };
  CHECK(count("success") >= 2);
  CHECK(count("failure") >= 1);
}

TEST_CASE(
    "prober: a reload that changes nothing leaves the rhythm, a vanished replica's probe ends") {
  Scene scene;
  scene.bench.spec.type = ProbeSpec::Type::kTcp;
  scene.bench.pause = std::chrono::hours(1);
  scene.adopt();
  REQUIRE(scene.turn_until_results(1));
  scene.adopt();
  CHECK(scene.bench.judges == 2);
  const Instant settled = monotonic_now() + std::chrono::milliseconds(100);
  REQUIRE(test::turn_until(scene.loop, [&] { return monotonic_now() > settled; }));
  CHECK(scene.bench.kinds.size() == 1);

  scene.bench.continues = false;  // another rhythm: the next probe is due at once
  scene.adopt();
  REQUIRE(scene.turn_until_results(2));

  scene.bench.pause = std::chrono::milliseconds(20);
  scene.vitals = std::make_shared<Vitals>(1);  // another life
  scene.adopt();
  REQUIRE(scene.turn_until_results(4));
  scene.prober.adopt(std::make_shared<const Snapshot>());
  const std::size_t before = scene.bench.kinds.size();
  const Instant later = monotonic_now() + std::chrono::milliseconds(100);
  REQUIRE(test::turn_until(scene.loop, [&] { return monotonic_now() > later; }));
  CHECK(scene.bench.kinds.size() == before);
}

TEST_CASE("prober: a new configuration may come while a probe is under way") {
  Scene scene;
  scene.adopt();
  Address peer;
  Fd probe;
  REQUIRE(test::turn_until(scene.loop, [&] {
    if (!probe.is_open()) probe = accept_connection(scene.listening.number(), peer);
    return probe.is_open();
  }));
  scene.adopt();  // the same probe goes on
  const std::string_view answer = "HTTP/1.1 200 OK\r\n\r\n";
  REQUIRE(::send(probe.number(), answer.data(), answer.size(), MSG_NOSIGNAL) > 0);
  REQUIRE(scene.turn_until_results(1));
  CHECK(scene.bench.statuses[0] == 200);
  scene.bench.spec.path = "/other";
  scene.adopt();
  CHECK(scene.answer("HTTP/1.1 200 OK\r\n\r\n").find("GET /other ") == 0);
}
