// SPDX-License-Identifier: Apache-2.0
#pragma once
// McpSettings: [pool.NAME.mcp], checked. What the settings mean to a session, the rooms beside it
// know.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/config/reader.h"
#include "daemon/module/principal.h"
#include "modules/mcp/carry_guard.h"
#include "modules/mcp/redis_text.h"
#include "modules/mcp/server_match.h"
#include "modules/mcp/session_store.h"

namespace limpet::mcp {

/// Whether clients see limpet's id around the replica's, or the replica's own.
enum class SessionIds : std::uint8_t { kWrap, kLearn };

struct McpSettings {
  SessionIds session_ids = SessionIds::kWrap;
  CarryPolicy carry_over = CarryPolicy::kCompatible;
  Duration keep_alive = std::chrono::seconds(15);    ///< kForever = off
  Duration session_idle = std::chrono::minutes(30);  ///< kForever = never reaped
  PrincipalRule::Kind bind_to = PrincipalRule::Kind::kOff;
  std::string bind_header;  ///< lower case, of bind_to = "header:NAME"
  std::optional<RedisAddress> store;
  Duration store_timeout = std::chrono::milliseconds(500);
  StoreBounds bounds;
  std::size_t tasks_max = 100'000;  ///< of which it is remembered where they are
  CarryBounds carry;
  /// How long a replica may owe an answer before a ping on the same session asks whether it will
  /// come; kForever = never asked.
  Duration doubt_after = std::chrono::seconds(15);
  /// How long it may answer neither the call nor pings before it counts as lost; kForever = never.
  Duration hang_after = kForever;
  bool probes_eras = true;  ///< replicas are asked which revisions they speak
  /// How long a replica is drained before its idle sessions are carried over from it.
  Duration drain_after = std::chrono::seconds(30);
  bool is_announced = false;  ///< a carried client is told of it by notifications

  /// The rule of bind_to. Lifetime: these settings'.
  [[nodiscard]] PrincipalRule binding() const noexcept { return {bind_to, bind_header}; }
};

/// Reads the table; mistakes are reported to the reader.
[[nodiscard]] McpSettings read_settings(const ConfigReader& reader);

}  // namespace limpet::mcp
