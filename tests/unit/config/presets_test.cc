// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/presets.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/config/fake_modules.h"

namespace limpet {
namespace {

Config pool_with(const std::string& settings) {
  return Config::from_text(
      "[[listener]]\n[[route]]\npool = \"p\"\n[pool.p]\nreplicas = [\"10.0.0.1:80\"]\n" + settings,
      "l.toml");
}

/// The preset's tables as an operator would write them into [pool.p].
std::string written_out(Preset preset) {
  std::string text(preset_text(preset));
  for (std::size_t at = 0; (at = text.find("\n[", at)) != std::string::npos; ++at) {
    text.replace(at, 2, "\n[pool.p.");
  }
  return text;
}

TEST_CASE("every preset is sound and holds only keys that are asked for") {
  for (const Preset preset : {Preset::kWeb, Preset::kStrict, Preset::kMcp, Preset::kAzure}) {
    Config alone = pool_with(written_out(preset));
    fake::ask_all(alone);
    CHECK(alone.mistakes().render() == "");
    Config config = pool_with("preset = \"" + std::string(preset_name(preset)) + "\"\n");
    fake::ask_all(config);
    CHECK(config.mistakes().render() == "");
    CHECK(config.model().pools.at(0).preset == preset);
  }
}

TEST_CASE("mcp pools wait for heads as long as it takes and are strict about lives") {
  const Config config = pool_with("preset = \"mcp\"\n");
  const PoolModel& pool = config.model().pools.at(0);
  CHECK(pool.timeouts.response_head == kForever);
  CHECK(pool.timeouts.response_body == std::chrono::seconds(60));
  const ConfigReader affinity = pool.settings.table("affinity");
  CHECK(affinity.texts("from", {"cookie"}) == std::vector<std::string>{"mcp", "cookie"});
  CHECK(affinity.text("on_gone", "move") == "carry-over else refuse:404");
  CHECK(affinity.text("on_down", "move") == "wait:1s then carry-over else refuse:404");
  CHECK(affinity.text("on_invalid", "move") == "refuse:404");
  CHECK(affinity.text("incarnation", "ignore") == "strict");
  CHECK(pool.settings.table("balance").text("policy", "two-choices") == "sessions");
}

TEST_CASE("azure pools use the cookie of that ingress") {
  const Config config = pool_with("preset = \"azure\"\n");
  const ConfigReader affinity = config.model().pools.at(0).settings.table("affinity");
  CHECK(affinity.table("cookie").text("name", "limpet") == "ARRAffinity");
  CHECK(affinity.table("cookie").text("path", "/") == "/");
  CHECK(affinity.flag("arr_compat", false));
}

TEST_CASE("strict pools refuse") {
  const Config config = pool_with("preset = \"strict\"\n");
  const ConfigReader affinity = config.model().pools.at(0).settings.table("affinity");
  CHECK(affinity.text("on_gone", "move") == "refuse:503");
  CHECK(affinity.text("on_down", "move") == "refuse:503");
}

TEST_CASE("the user's key goes before the preset's, key by key") {
  const Config config = pool_with(
      "preset = \"mcp\"\n[pool.p.affinity]\non_gone = \"move\"\n[pool.p.timeouts]\nresponse_head = "
      "\"5s\"\n");
  const PoolModel& pool = config.model().pools.at(0);
  CHECK(pool.settings.table("affinity").text("on_gone", "x") == "move");
  CHECK(pool.settings.table("affinity").text("incarnation", "x") == "strict");
  CHECK(pool.timeouts.response_head == std::chrono::seconds(5));
}

TEST_CASE("a pool's timeouts stand on the global ones") {
  const Config config = pool_with(
      "timeouts = { connect = \"9s\" }\n[timeouts]\nconnect = \"3s\"\nstream_idle = \"1h\"\n");
  CHECK(config.model().pools.at(0).timeouts.connect == std::chrono::seconds(9));
  CHECK(config.model().pools.at(0).timeouts.stream_idle == std::chrono::hours(1));
}

}  // namespace
}  // namespace limpet
