// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/settings.h"

#include <string_view>
#include <utility>

#include "daemon/base/text.h"

namespace limpet::mcp {

namespace {

constexpr std::int64_t kCountMax = 100'000'000;

void read_binding(const ConfigReader& reader, McpSettings& settings) {
  const std::string said =
      reader.text("bind_to", "off",
                  "off, jwt-subject, header:NAME or client-certificate: whose session id it is");
  if (said == "off") return;
  if (auto rule = parse_principal(said, "jwt-subject")) {
    settings.bind_to = rule->kind;
    settings.bind_header = std::move(rule->header);
    return;
  }
  reader.mistake("bind_to", "bind_to: \"" + text::escaped(said) +
                                "\" names nobody; expected off, jwt-subject, header:NAME or "
                                "client-certificate");
}

void read_store(const ConfigReader& reader, McpSettings& settings) {
  const std::string place =
      reader.text("store", "", "redis://ADDRESS:PORT/DATABASE, shared by instances; \"\": none");
  settings.store_timeout = reader.duration("store_timeout", settings.store_timeout, Off::kRefused,
                                           "after which the store counts as down");
  if (place.empty()) return;
  Result<RedisAddress> address = parse_redis_address(place);
  if (!address) return reader.mistake("store", "store: " + address.error().text);
  settings.store = *std::move(address);
}

std::size_t count(const ConfigReader& reader, std::string_view key, std::size_t fallback,
                  std::int64_t min, std::string_view help) {
  return static_cast<std::size_t>(
      reader.number(key, static_cast<std::int64_t>(fallback), min, kCountMax, help));
}

void read_bounds(const ConfigReader& reader, McpSettings& settings) {
  StoreBounds& bounds = settings.bounds;
  bounds.records_max = count(reader, "max_records", bounds.records_max, 1,
                             "sessions remembered; the longest unused make room");
  bounds.record_bytes_max = reader.bytes("record_bytes", bounds.record_bytes_max, 1024,
                                         "a session that takes more is not carried over");
  bounds.bytes_max =
      reader.bytes("memory_bytes", bounds.bytes_max, 64 * 1024, "of all sessions remembered");
  bounds.subscriptions_max = count(reader, "max_subscriptions", bounds.subscriptions_max, 0,
                                   "of one session, replayed when it is carried over");
  settings.tasks_max = count(reader, "max_tasks", settings.tasks_max, 1,
                             "tasks of which it is remembered where they are");
  bounds.tombstones_max =
      count(reader, "max_tombstones", bounds.tombstones_max, 1, "ended sessions remembered");
  bounds.tombstone_time = reader.duration("tombstone_time", bounds.tombstone_time, Off::kRefused,
                                          "how long an ended session is remembered");
}

void read_doubts(const ConfigReader& reader, McpSettings& settings) {
  settings.doubt_after =
      reader.duration("doubt_after", settings.doubt_after, Off::kAllowed,
                      "a ping asks a replica that owes an answer whether the session lives");
  settings.hang_after =
      reader.duration("hang_after", settings.hang_after, Off::kAllowed,
                      "a replica that answers neither call nor pings for so long counts as lost");
  if (settings.doubt_after < std::chrono::seconds(1))
    reader.mistake("doubt_after", "doubt_after: expected 1s or more, or off");
  if (settings.hang_after == kForever) return;
  if (settings.doubt_after == kForever)
    reader.mistake("hang_after", "hang_after: nobody asks; expected off, or a time in doubt_after");
  else if (settings.hang_after < settings.doubt_after)
    reader.mistake("hang_after", "hang_after: expected doubt_after or more, or off");
}

void read_carrying(const ConfigReader& reader, CarryBounds& carry) {
  carry.per_second = static_cast<std::uint32_t>(
      reader.number("carry_overs_per_second", carry.per_second, 0, 1'000'000,
                    "sessions carried over in a second; 0: no limit"));
  carry.wait_max = reader.duration("carry_over_wait", carry.wait_max, Off::kRefused,
                                   "how long a request waits for its session's turn");
  carry.flight_max = reader.duration("carry_over_timeout", carry.flight_max, Off::kRefused,
                                     "how long opening a session anew may take");
}

void check_times(const ConfigReader& reader, const McpSettings& settings) {
  if (settings.keep_alive < std::chrono::seconds(1))
    reader.mistake("keep_alive", "keep_alive: expected 1s or more, or off");
  if (settings.session_idle < std::chrono::seconds(1))
    reader.mistake("session_idle", "session_idle: expected 1s or more, or off");
  for (const auto& [key, time] :
       {std::pair<std::string_view, Duration>{"store_timeout", settings.store_timeout},
        {"tombstone_time", settings.bounds.tombstone_time},
        {"carry_over_timeout", settings.carry.flight_max}}) {
    if (time <= Duration::zero()) reader.mistake(key, std::string(key) + ": expected more than 0");
  }
}

}  // namespace

McpSettings read_settings(const ConfigReader& reader) {
  McpSettings settings;
  settings.session_ids =
      reader.choice<SessionIds>("session_ids", SessionIds::kWrap,
                                {{"wrap", SessionIds::kWrap}, {"learn", SessionIds::kLearn}},
                                "learn: ids unchanged, and a table");
  settings.carry_over = reader.choice<CarryPolicy>("carry_over", CarryPolicy::kCompatible,
                                                   {{"off", CarryPolicy::kOff},
                                                    {"compatible", CarryPolicy::kCompatible},
                                                    {"always", CarryPolicy::kAlways}},
                                                   "open lost sessions anew on another replica");
  settings.keep_alive = reader.duration("keep_alive", settings.keep_alive, Off::kAllowed,
                                        "a comment in idle event streams");
  settings.session_idle = reader.duration("session_idle", settings.session_idle, Off::kAllowed,
                                          "after which a session is ended");
  settings.drain_after =
      reader.duration("drain_after", settings.drain_after, Off::kAllowed,
                      "idle sessions of a drained replica are carried over from then on");
  settings.is_announced =
      reader.flag("announce", false, "carried clients are told by notifications");
  settings.probes_eras = reader.flag(
      "probe_eras", true, "ask replicas whether they speak revisions with or without sessions");
  read_binding(reader, settings);
  read_store(reader, settings);
  read_bounds(reader, settings);
  read_doubts(reader, settings);
  read_carrying(reader, settings.carry);
  check_times(reader, settings);
  return settings;
}

}  // namespace limpet::mcp
