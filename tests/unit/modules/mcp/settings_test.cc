// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/settings.h"

#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

#include "daemon/config/load.h"

namespace limpet::mcp {
namespace {

struct Read {
  explicit Read(std::string_view lines)
      : config(Config::fragment("[pool.p.mcp]\n" + std::string(lines), "t.toml")),
        settings(read_settings(config.root().table("pool").table("p").table("mcp"))) {}
  [[nodiscard]] std::string mistakes() const { return config.mistakes().render(); }
  Config config;
  McpSettings settings;
};

TEST_CASE("the defaults are those of the contract") {
  const Read read("");
  CHECK(read.mistakes().empty());
  CHECK(read.settings.session_ids == SessionIds::kWrap);
  CHECK(read.settings.carry_over == CarryPolicy::kCompatible);
  CHECK(read.settings.keep_alive == std::chrono::seconds(15));
  CHECK(read.settings.session_idle == std::chrono::minutes(30));
  CHECK(read.settings.bind_to == PrincipalRule::Kind::kOff);
  CHECK(read.settings.doubt_after == std::chrono::seconds(15));
  CHECK(read.settings.hang_after == kForever);
  CHECK(read.settings.tasks_max == 100'000);
  CHECK_FALSE(read.settings.store.has_value());
}

TEST_CASE("every key is read") {
  const Read read(R"(
session_ids = "learn"
carry_over = "always"
keep_alive = "off"
session_idle = "off"
announce = true
bind_to = "header:X-User"
store = "redis://127.0.0.1:6379/2"
store_timeout = "100ms"
max_records = 10
max_tasks = 7
doubt_after = "5s"
hang_after = "2m"
record_bytes = "8KiB"
memory_bytes = "1MiB"
max_subscriptions = 0
max_tombstones = 5
tombstone_time = "2h"
carry_overs_per_second = 0
carry_over_wait = "1s"
carry_over_timeout = "3s"
)");
  CHECK(read.mistakes() == "");
  const McpSettings& settings = read.settings;
  CHECK(settings.session_ids == SessionIds::kLearn);
  CHECK(settings.carry_over == CarryPolicy::kAlways);
  CHECK(settings.keep_alive == kForever);
  CHECK(settings.tasks_max == 7);
  CHECK(settings.doubt_after == std::chrono::seconds(5));
  CHECK(settings.hang_after == std::chrono::minutes(2));
  CHECK(settings.session_idle == kForever);
  CHECK(settings.is_announced);
  CHECK(settings.binding().header == "x-user");
  CHECK(settings.store->database == 2);
  CHECK(settings.bounds.records_max == 10);
  CHECK(settings.bounds.record_bytes_max == 8192);
  CHECK(settings.bounds.bytes_max == 1048576);
  CHECK(settings.bounds.subscriptions_max == 0);
  CHECK(settings.bounds.tombstones_max == 5);
  CHECK(settings.bounds.tombstone_time == std::chrono::hours(2));
  CHECK(settings.carry.per_second == 0);
  CHECK(settings.carry.wait_max == std::chrono::seconds(1));
  CHECK(settings.carry.flight_max == std::chrono::seconds(3));
}

TEST_CASE("each mistake is told with what was expected") {
  for (const std::pair<const char*, const char*>& row :
       {std::pair<const char*, const char*>{"bind_to = \"ip\"", "jwt-subject"},
        {"bind_to = \"header:a b\"", "header:NAME"},
        {"store = \"redis://cache:6379\"", "not resolved"},
        {"keep_alive = \"10ms\"", "1s or more"},
        {"session_idle = \"10ms\"", "1s or more"},
        {"session_ids = \"keep\"", "wrap"},
        {"carry_over = \"yes\"", "compatible"},
        {"max_records = 0", "max_records"},
        {"tombstone_time = \"0s\"", "tombstone_time"}}) {
    CAPTURE(row.first);
    CHECK(Read(row.first).mistakes().find(row.second) != std::string::npos);
  }
}

TEST_CASE("times of doubt that would ask nobody, or at once, are mistakes") {
  const auto says = [](std::string_view lines, std::string_view part) {
    return Read(lines).mistakes().find(part) != std::string::npos;
  };
  CHECK(says("doubt_after = \"100ms\"", "doubt_after: expected 1s or more, or off"));
  CHECK(says("hang_after = \"5s\"", "hang_after: expected doubt_after or more, or off"));
  CHECK(says("doubt_after = \"off\"\nhang_after = \"1m\"", "hang_after: nobody asks"));
  CHECK(Read("doubt_after = \"off\"").mistakes().empty());
}

}  // namespace
}  // namespace limpet::mcp
