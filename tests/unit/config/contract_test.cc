// SPDX-License-Identifier: Apache-2.0
// The example that documents show is loaded as it stands: what it says is what the daemon does.
#include <chrono>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "daemon/config/dump.h"
#include "daemon/config/ledger.h"
#include "tests/unit/config/fake_modules.h"

namespace limpet {
namespace {

using std::chrono::seconds;

std::filesystem::path tree() {
  return std::filesystem::path(__FILE__).parent_path() / ".." / ".." / "..";
}

Config example() {
  Config config =
      Config::load_file((tree() / "tests" / "data" / "limpet.example.toml").lexically_normal());
  fake::ask_all(config);
  return config;
}

TEST_CASE("the example has no mistake and no key that nobody knows") {
  CHECK(example().mistakes().render() == "");
}

TEST_CASE("the example's global tables hold what it says") {
  const Config config = example();
  const Model& model = config.model();
  CHECK_FALSE(model.daemon.workers.has_value());
  CHECK(model.daemon.pin);
  CHECK(model.daemon.user == "limpet");
  CHECK(model.daemon.state_dir == "/var/lib/limpet");
  CHECK(model.daemon.drain_timeout == seconds(30));
  CHECK(model.daemon.log_level == LogLevel::kInfo);
  CHECK(model.daemon.log_format == LogFormat::kText);
  CHECK(model.admin.bind.print() == "127.0.0.1:9180");
  CHECK(model.admin.socket == "/run/limpet/control.sock");
  CHECK(model.access_log.format == AccessLogFormat::kJson);
  CHECK(model.access_log.path == "stdout");
  CHECK(model.keys.file.empty());
  CHECK_FALSE(model.limits.connections.has_value());
  CHECK(model.limits.connections_per_client == 0);
  CHECK(model.limits.request_line_bytes == 8192);
  CHECK(model.limits.header_bytes == 32768);
  CHECK(model.limits.header_fields == 100);
  CHECK(model.limits.http2_streams == 100);
  CHECK(model.limits.buffer_bytes == 65536);
  CHECK(model.timeouts.request_head == seconds(10));
  CHECK(model.timeouts.client_idle == seconds(75));
  CHECK(model.timeouts.client_stall == seconds(30));
  CHECK(model.timeouts.connect == seconds(2));
  CHECK(model.timeouts.response_head == seconds(60));
  CHECK(model.timeouts.response_body == seconds(60));
  CHECK(model.timeouts.stream_idle == kForever);
  CHECK(model.timeouts.replica_idle == seconds(60));
}

TEST_CASE("the example's listeners, routes and modules hold what it says") {
  const Config config = example();
  const Model& model = config.model();
  REQUIRE(model.listeners.size() == 2);
  CHECK(model.listeners[0].name == "web");
  REQUIRE(model.listeners[0].bind.size() == 2);
  CHECK(model.listeners[0].bind[1].address.print() == "[::]:8080");
  CHECK(model.listeners[0].http2);
  CHECK_FALSE(model.listeners[0].proxy_protocol);
  CHECK_FALSE(model.listeners[0].tls.has_value());
  REQUIRE(model.listeners[1].tls.has_value());
  REQUIRE(model.listeners[1].tls->certificates.size() == 1);
  CHECK(model.listeners[1].tls->certificates[0].cert == "/etc/limpet/tls/site.pem");
  CHECK(model.listeners[1].tls->min_version == TlsVersion::k12);
  CHECK(model.listeners[1].tls->client_auth == ClientAuth::kOff);
  CHECK(model.listeners[1].tls->tickets.rotate == std::chrono::hours(12));
  CHECK(model.listeners[1].tls->tickets.file.empty());
  CHECK(model.listeners[1].tls->handshake_timeout == std::chrono::seconds(10));
  CHECK(model.listeners[1].tls->handshakes_max == 0);
  CHECK_FALSE(model.listeners[1].tls->ktls);
  REQUIRE(model.routes.size() == 2);
  CHECK(model.routes[0].host == "*");
  CHECK(model.routes[0].path == "/mcp");
  CHECK(model.routes[0].pool == "mcp");
  CHECK(model.routes[1].path == "/");
  REQUIRE(model.modules.size() == 1);
  CHECK(model.modules[0].name == "greeting");
  CHECK(model.modules[0].path == "/usr/lib/limpet/modules/greeting.so");
}

TEST_CASE("the example's pools hold what it says") {
  const Config config = example();
  REQUIRE(config.model().pools.size() == 2);
  const PoolModel& web = config.model().pools[0];
  CHECK(web.name == "web");
  CHECK(web.chain.size() == 8);
  REQUIRE(web.replicas.size() == 2);
  CHECK(web.replicas[0].id == "10.0.0.21:3000");
  CHECK(web.replicas[0].address.print() == "10.0.0.21:3000");
  CHECK(web.protocol == ReplicaProtocol::kHttp1);
  CHECK(web.forward_host == ForwardHost::kClient);
  CHECK(web.send_proxy_protocol == ProxyVersion::kNone);
  CHECK(web.revisions.empty());
  CHECK(web.discovery.type == DiscoveryType::kStatic);
  CHECK_FALSE(web.tls.enabled);
  const PoolModel& mcp = config.model().pools[1];
  CHECK(mcp.preset == Preset::kMcp);
  REQUIRE(mcp.replicas.size() == 2);
  CHECK(mcp.replicas[0].id == "a");
  CHECK(mcp.replicas[0].weight == 1);
  CHECK(mcp.replicas[0].state == ReplicaState::kReady);
  CHECK(mcp.replicas[1].id == "b");
  CHECK(mcp.replicas[1].weight == 1);
  CHECK(mcp.timeouts.response_head == kForever);
}

/// The keys under `table` whose value in the example is not the default.
void collect_differing(const AskedTable& table, std::vector<std::string>& out) {
  for (const AskedKey& asked : table.asked) {
    if (asked.as == AskedAs::kValue && asked.value != asked.fallback) {
      out.push_back(path_of(table) + "." + asked.key);
    }
    for (const auto& child : asked.tables)
      collect_differing(*child, out);
  }
}

TEST_CASE("the values that the example shows as defaults are the defaults") {
  const Config config = example();
  std::vector<std::string> differing;
  collect_differing(config.ledger().root(), differing);
  CHECK(differing ==
        std::vector<std::string>{".include", "listener[0].name", "listener[1].name",
                                 "listener[1].bind", "listener[1].tls.certificates[0].cert",
                                 "listener[1].tls.certificates[0].key", "route[0].path",
                                 "route[0].pool", "route[1].pool", "pool.web.replicas",
                                 "pool.mcp.preset", "pool.mcp.replica[0].address",
                                 "pool.mcp.replica[0].id", "pool.mcp.replica[1].address",
                                 "pool.mcp.replica[1].id", "module[0].name", "module[0].path"});
}

TEST_CASE("the example's dump, loaded, gives the same dump") {
  const Config config = example();
  const std::string first = dump(config);
  Config again = Config::from_text(first, "dump");
  fake::ask_all(again);
  CHECK(again.mistakes().render() == "");
  CHECK(dump(again) == first);
}

TEST_CASE("every file of conf/ is without mistakes") {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(tree() / "conf")) {
    if (file.path().extension() != ".toml") continue;
    Config config = Config::load_file(file.path().lexically_normal().string());
    fake::ask_all(config);
    CHECK(config.mistakes().render() == "");
    ++count;
  }
  CHECK(count == 10);
}

}  // namespace
}  // namespace limpet
