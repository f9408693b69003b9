// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/admin.h"

#include <string>

#include <doctest/doctest.h>

#include "daemon/control/gauges.h"
#include "daemon/metrics/catalogue.h"
#include "tests/unit/control/fake_process.h"
#include "tests/unit/control/turns.h"

using namespace limpet;
using limpet::control::Admin;
using limpet::control::Response;

namespace {

struct Scene {
  Loop loop;
  test::FakeProcess process;
  Admin admin{loop, process};

  Response ask(std::string_view path, std::string_view host = "127.0.0.1:9180",
               std::string_view method = "GET") const {
    control::Request request;
    request.method = method;
    request.path = path;
    request.host = host;
    return admin.answer(request);
  }
};

}  // namespace

TEST_CASE("admin: health, readiness and metrics") {
  Scene scene;
  CHECK(scene.ask("/healthz").status == 200);
  CHECK(scene.ask("/readyz").status == 200);
  scene.process.facts_.stage = control::ProcessFacts::Stage::kDraining;
  CHECK(scene.ask("/readyz").status == 503);
  CHECK(scene.ask("/healthz").status == 200);
  scene.process.vitals(0, 0).share(1).in_flight = 4;
  scene.process.metrics.counter("limpet_timeouts_total", {{"kind", "connect"}}).add(3);
  const Response metrics = scene.ask("/metrics");
  CHECK(metrics.body.find("limpet_replica_inflight{pool=\"web\",replica=\"a\"} 4") !=
        std::string::npos);
  CHECK(metrics.body.find("limpet_timeouts_total{kind=\"connect\"} 3") != std::string::npos);
  CHECK(metrics.body.find("limpet_replica_state{pool=\"mcp\",replica=\"c\",state=\"ready\"} 1") !=
        std::string::npos);
}

TEST_CASE("admin: every gauge is in the catalogue, with its labels") {
  const test::FakeProcess process;
  for (const Sample& sample : control::gauges(process)) {
    CAPTURE(std::string(sample.name));
    const MetricEntry* entry = find_metric(sample.name);
    REQUIRE(entry != nullptr);
    std::string labels;
    for (const auto& [label, value] : sample.labels) {
      labels += (labels.empty() ? "" : ",") + std::string(label);
    }
    CHECK(labels == entry->labels);
  }
}

TEST_CASE("admin: the page brings everything with it, JSON is JSON, the rest is not there") {
  const Scene scene;
  const Response page = scene.ask("/");
  CHECK(page.content_type == "text/html; charset=utf-8");
  CHECK(page.body.find("https:") == std::string::npos);
  CHECK(page.body.find("src=") == std::string::npos);
  CHECK(scene.ask("/api/v1/status").content_type == "application/json");
  CHECK(scene.ask("/api/v1/pools").status == 200);
  CHECK(scene.ask("/api/v1/replicas").status == 200);
  CHECK(scene.ask("/nothing").status == 404);
  CHECK(scene.ask("/", "localhost", "POST").status == 405);
}

TEST_CASE("admin: other names than addresses and localhost are refused") {
  Scene scene;
  CHECK(scene.ask("/", "localhost:9180").status == 200);
  CHECK(scene.ask("/", "[::1]:9180").status == 200);
  CHECK(scene.ask("/", "LocalHost").status == 200);
  CHECK(scene.ask("/", "").status == 200);
  CHECK(scene.ask("/", "evil.example").status == 403);
  CHECK(scene.ask("/metrics", "evil.example:9180").status == 403);
  CHECK(scene.ask("/", "127.0.0.1.evil.example").status == 403);
  // On an address of the network machines may ask by name, browsers may not.
  Fd listening = test::listen_somewhere();
  scene.admin.listen(std::move(listening), Address::parse("10.0.0.1:9180").value());
  CHECK(scene.ask("/metrics", "limpet.example:9180").status == 200);
  CHECK(scene.ask("/api/v1/status", "limpet.example:9180").status == 403);
}
