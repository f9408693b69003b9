// SPDX-License-Identifier: Apache-2.0
#include "daemon/change_text.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;

namespace {

constexpr const char* kBase = R"(
[[listener]]
name = "web"
bind = ["127.0.0.1:8080"]
[[route]]
path = "/"
pool = "web"
[pool.web]
replicas = ["10.0.0.1:80", "10.0.0.2:80"]
)";

std::string change(const std::string& before, const std::string& after, Discovered lists = {}) {
  const Config old = Config::from_text(before, "old.toml");
  const Config now = Config::from_text(after, "new.toml");
  REQUIRE(old.is_valid());
  REQUIRE(now.is_valid());
  return describe_change({old, {}}, {now, lists});
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("change text: nothing, replicas, routes and pools") {
  CHECK(change(kBase, kBase) == "nothing");
  CHECK(change(kBase, replaced(kBase, ", \"10.0.0.2:80\"", ", \"10.0.0.3:80\"")) ==
        "replicas: 1 added (web/10.0.0.3:80), 1 removed (web/10.0.0.2:80)");
  const std::string more = std::string(kBase) +
                           "[[route]]\npath = \"/api\"\npool = \"api\"\n"
                           "[pool.api]\nreplicas = [\"10.0.1.1:80\"]\n";
  const std::string text = change(kBase, more);
  CHECK(text.find("routes: 1 added (*/api)") != std::string::npos);
  CHECK(text.find("pools: 1 added (api)") != std::string::npos);
  CHECK(change(kBase, replaced(kBase, "8080", "8081")) == "listeners: 1 changed (web)");
  const auto with_listener_key = [](const std::string& key) {
    return replaced(kBase, "[[listener]]\n", "[[listener]]\n" + key + "\n");
  };
  const std::string tls = "tls = { certificates = [ { cert = \"a\", key = \"a\" } ] }";
  for (const std::string& key : {std::string("http2 = false"), tls}) {
    CHECK(change(kBase, with_listener_key(key)) == "listeners: 1 changed (web)");
  }
  CHECK(change(with_listener_key(tls), with_listener_key(replaced(tls, "\"a\"", "\"b\""))) ==
        "listeners: 1 changed (web)");
  const std::string second = "[[listener]]\nname = \"more\"\nbind = [\"127.0.0.1:81\"]\n";
  CHECK(change(kBase, second + kBase) == "listeners: 1 added (more)");
}

TEST_CASE("change text: every key of a listener counts") {
  for (const char* key : {"http2 = false\n", "proxy_protocol = true\ntrusted = [\"10.0.0.0/8\"]\n",
                          "tls = { certificates = [{ cert = \"/c.pem\", key = \"/k.pem\" }] }\n"}) {
    CHECK(change(kBase, replaced(kBase, "[[route]]", std::string(key) + "[[route]]")) ==
          "listeners: 1 changed (web)");
  }
  const std::string two =
      std::string(kBase) + "[[listener]]\nname = \"more\"\nbind = [\"127.0.0.1:81\"]\n";
  CHECK(change(two, two + "http2 = false\n") == "listeners: 1 changed (more)");
}

TEST_CASE("change text: replicas of files count, long lists are cut") {
  Discovered lists;
  for (int i = 1; i <= 12; ++i) {
    ReplicaModel replica;
    replica.id = "r" + std::to_string(i);
    replica.address = Address::parse("10.1.0." + std::to_string(i) + ":80").value();
    lists["web"].push_back(replica);
  }
  const std::string text = change(kBase, kBase, lists);
  CHECK(text.find("replicas: 12 added (web/r1") == 0);
  CHECK(text.find("and 4 more)") != std::string::npos);
}

TEST_CASE("change text: what waits for a restart is named by its key") {
  const auto model = [](const char* text) { return Config::from_text(text, "x").model(); };
  const Model before = model("[daemon]\nworkers = 2\n[admin]\nbind = \"127.0.0.1:1\"\n");
  CHECK(waits_for_restart(before, before).empty());
  const Model after = model("[daemon]\nworkers = 3\n[admin]\nbind = \"127.0.0.1:2\"\n");
  CHECK(waits_for_restart(before, after) ==
        std::vector<std::string>{"daemon.workers", "admin.bind"});
}
