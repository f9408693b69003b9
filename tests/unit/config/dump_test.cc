// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/dump.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/unit/config/fake_modules.h"

namespace limpet {
namespace {

std::string dump_of(std::string_view text) {
  Config config = Config::from_text(text, "l.toml");
  fake::ask_all(config);
  CHECK(config.mistakes().render() == "");
  return dump(config);
}

TEST_CASE("every key is printed, and the default is marked") {
  Config config = Config::fragment("a = \"x\"\n[t]\nb = \"90s\"\n", "l.toml");
  const ConfigReader in = config.root();
  static_cast<void>(in.table("t").duration("b", std::chrono::minutes(5)));
  static_cast<void>(in.table("t").flag("c", true));
  static_cast<void>(in.table("t").table("u").bytes("d", 65536));
  static_cast<void>(in.text("a", "x"));
  static_cast<void>(in.number("n", 3, 0, 9));
  CHECK(dump(config) ==
        "a = \"x\"  # default\n"
        "n = 3  # default\n"
        "\n"
        "[t]\n"
        "b = \"90s\"  # default: \"5m\"\n"
        "c = true  # default\n"
        "\n"
        "[t.u]\n"
        "d = \"64KiB\"  # default\n");
  CHECK(dump(config, "t.u") == "[t.u]\nd = \"64KiB\"  # default\n");
  CHECK(dump(config, "none").empty());
}

TEST_CASE("loading a dump gives the same dump") {
  const std::string first = dump_of(R"(
[daemon]
workers = 3
[[listener]]
bind = ["127.0.0.1:8080", "unix:/run/x"]
trusted = ["10.0.0.0/8"]
[listener.tls]
certificates = [ { cert = "a.pem", key = "a.key" }, { cert = "b.pem", key = "b.key", ocsp = "b.der" } ]
tickets = { rotate = "6h", file = "/k" }
handshake_timeout = "off"
[[listener]]
bind = ["systemd:web"]
[[route]]
path = "/r"
redirect = { to = "https://example.org/$$x", status = 307 }
[[route]]
path = "/s"
respond = { status = 410, body = "gone \"for\" good\n" }
[[route]]
pool = "a.b"
[pool."a.b"]
preset = "mcp"
replicas = ["10.0.0.1:80"]
revisions = { "v 1" = 90, v2 = 10, "" = 0 }
[pool."a.b".affinity]
cookie = { name = "sid", max_age = "1d" }
on_gone = "move"
[pool."a.b".timeouts]
connect = "250ms"
[[pool."a.b".replica]]
id = "x"
address = "10.0.0.2:80"
revision = "v 1"
[[pool."a.b".replica]]
id = "y"
address = "10.0.0.3:80"
revision = "v2"
backup = true
[[module]]
name = "m"
path = "/m.so"
)");
  CHECK(first.find("to = \"https://example.org/$$x\"  # default: \"\"\n") != std::string::npos);
  CHECK(first.find("[pool.\"a.b\".affinity.cookie]\nname = \"sid\"  # default: \"limpet\"\n") !=
        std::string::npos);
  CHECK(first.find("response_head = \"off\"  # default\n") != std::string::npos);
  CHECK(dump_of(first) == first);
}

TEST_CASE("included files and the environment are in the dump, not their names") {
  ::setenv("LIMPET_TEST_ADDRESS", "10.9.9.9:80", 1);
  const std::string out = dump_of(
      "include = []\n[[listener]]\n[[route]]\npool = \"w\"\n"
      "[pool.w]\nreplicas = [\"${LIMPET_TEST_ADDRESS}\"]\n");
  CHECK(out.find("include") == std::string::npos);
  CHECK(out.find("replicas = [\"10.9.9.9:80\"]") != std::string::npos);
}

}  // namespace
}  // namespace limpet
