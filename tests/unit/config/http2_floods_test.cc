// SPDX-License-Identifier: Apache-2.0
// [limits.http2_floods]: its defaults are those of the codec, and each key is read.
#include "daemon/http/http2_floods.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "daemon/config/dump.h"
#include "tests/unit/config/fake_modules.h"

namespace limpet {
namespace {

constexpr const char* kSound =
    "[[listener]]\nname = \"web\"\nbind = [\"127.0.0.1:80\"]\n"
    "[[route]]\npool = \"web\"\n[pool.web]\nreplicas = [\"10.0.0.1:80\"]\n";

Config load(const std::string& text) {
  Config config = Config::from_text(kSound + text, "t");
  fake::ask_all(config);
  return config;
}

TEST_CASE("the defaults of the flood budgets are those of the codec") {
  const Http2FloodsModel model;
  const Http2FloodLimits limits;
  CHECK(model.mode == FloodAnswer::kEnforce);
  CHECK(limits.mode == FloodMode::kEnforce);
  CHECK(model.window == limits.window);
  CHECK(model.resets == limits.resets);
  CHECK(model.provoked_resets == limits.provoked_resets);
  CHECK(model.continuations == limits.continuations);
  CHECK(model.settings == limits.settings);
  CHECK(model.pings == limits.pings);
  CHECK(model.empty_data == limits.empty_data);
  CHECK(model.priorities == limits.priorities);
  CHECK(model.other_frames == limits.other_frames);
  CHECK(model.connection_bytes == limits.connection_bytes);
}

TEST_CASE("each flood budget is read") {
  const Config config = load(
      "[limits.http2_floods]\nmode = \"report\"\nwindow = \"2s\"\nresets = 1\n"
      "provoked_resets = 2\ncontinuations = 3\nsettings = 4\npings = 5\nempty_data = 6\n"
      "priorities = 0\nother_frames = 7\nconnection_bytes = \"128KiB\"\n");
  CHECK(config.mistakes().render() == "");
  const Http2FloodsModel& floods = config.model().limits.http2_floods;
  CHECK(floods.mode == FloodAnswer::kReport);
  CHECK(floods.window == std::chrono::seconds(2));
  CHECK(floods.resets == 1);
  CHECK(floods.provoked_resets == 2);
  CHECK(floods.continuations == 3);
  CHECK(floods.settings == 4);
  CHECK(floods.pings == 5);
  CHECK(floods.empty_data == 6);
  CHECK(floods.priorities == 0);
  CHECK(floods.other_frames == 7);
  CHECK(floods.connection_bytes == 128 * 1024);
}

TEST_CASE("flood budgets that make no sense are mistakes") {
  CHECK(load("[limits.http2_floods]\nmode = \"off\"\n").mistakes().render() ==
        "t:9:8: error: mode: expected one of \"enforce\", \"report\", found the text \"off\"\n"
        "mode = \"off\"\n       ^\n");
  CHECK(load("[limits.http2_floods]\nconnection_bytes = \"1KiB\"\n").mistakes().render() ==
        "t:9:20: error: connection_bytes: expected 64KiB or more, or 0 for no limit\n"
        "connection_bytes = \"1KiB\"\n                   ^\n");
  CHECK(load("[limits.http2_floods]\nwindow = \"0s\"\n").mistakes().render() ==
        "t:9:10: error: window: expected a time above 0s\nwindow = \"0s\"\n         ^\n");
  CHECK_FALSE(load("[limits.http2_floods]\nresets = -1\n").mistakes().is_empty());
  CHECK_FALSE(load("[limits.http2_floods]\nresests = 1\n").mistakes().is_empty());
}

TEST_CASE("the flood budgets are in the dump") {
  const std::string dumped = dump(load(""), "limits.http2_floods");
  CHECK(dumped.starts_with("[limits.http2_floods]\n"));
  CHECK(dumped.find("mode = \"enforce\"") != std::string::npos);
  CHECK(dumped.find("connection_bytes = \"1MiB\"") != std::string::npos);
}

}  // namespace
}  // namespace limpet
