// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stand-ins for the modules of the contract: they ask for the keys that the real ones ask for, so
// that tests of config need no module.

#include <array>
#include <chrono>
#include <string_view>

#include "daemon/config/load.h"
#include "daemon/config/reader.h"

namespace limpet::fake {

inline constexpr std::array<std::string_view, 9> kModuleNames = {
    "affinity",   "balance", "health",     "retry", "headers",
    "request_id", "metrics", "access_log", "mcp"};

inline void ask_affinity(const ConfigReader& in) {
  static_cast<void>(in.texts("from", {"cookie"}));
  const ConfigReader cookie = in.table("cookie");
  static_cast<void>(cookie.text("name", "limpet"));
  static_cast<void>(cookie.text("path", "/"));
  static_cast<void>(cookie.text("domain", ""));
  static_cast<void>(cookie.choice("same_site", "lax", {"lax", "strict", "none"}));
  static_cast<void>(cookie.flag_or_auto("secure"));
  static_cast<void>(cookie.flag("http_only", true));
  static_cast<void>(cookie.flag("partitioned", false));
  static_cast<void>(cookie.duration("max_age", kForever, Off::kAllowed));
  static_cast<void>(cookie.text("prefix", ""));
  static_cast<void>(in.duration("idle", kForever, Off::kAllowed));
  static_cast<void>(in.duration("absolute", kForever, Off::kAllowed));
  static_cast<void>(in.choice("incarnation", "ignore", {"ignore", "strict"}));
  static_cast<void>(in.flag("strip", true));
  static_cast<void>(in.text("on_gone", "move"));
  static_cast<void>(in.text("on_down", "move"));
  static_cast<void>(in.text("on_full", "wait:2s then move"));
  static_cast<void>(in.choice("on_draining", "keep", {"keep", "move"}));
  static_cast<void>(in.text("on_invalid", "move"));
  static_cast<void>(in.flag("show", false));
  static_cast<void>(in.flag("arr_compat", false));
}

inline void ask_balance(const ConfigReader& in) {
  using std::chrono::seconds;
  static_cast<void>(in.text("policy", "two-choices"));
  static_cast<void>(in.duration("slow_start", seconds(30), Off::kAllowed));
  static_cast<void>(in.number("max_requests", 0, 0, 1'000'000));
  static_cast<void>(in.number("max_sessions", 0, 0, 1'000'000));
  static_cast<void>(in.number("queue", 1024, 0, 1'000'000));
  static_cast<void>(in.duration("queue_timeout", seconds(5)));
  static_cast<void>(in.number("panic_threshold", 30, 0, 100));
}

inline void ask_health(const ConfigReader& in) {
  using std::chrono::seconds;
  const ConfigReader active = in.table("active");
  static_cast<void>(active.choice("type", "http", {"http", "tcp", "grpc", "off"}));
  static_cast<void>(active.text("path", "/healthz"));
  static_cast<void>(active.text("service", ""));
  static_cast<void>(active.text("status", "200-399"));
  static_cast<void>(active.duration("interval", seconds(5)));
  static_cast<void>(active.duration("timeout", seconds(2)));
  static_cast<void>(active.number("rise", 2, 1, 100));
  static_cast<void>(active.number("fall", 3, 1, 100));
  static_cast<void>(active.number("jitter", 20, 0, 100));
  const ConfigReader passive = in.table("passive");
  static_cast<void>(passive.number("failures", 5, 0, 1000));
  static_cast<void>(passive.duration("window", seconds(10)));
  static_cast<void>(passive.duration("eject", seconds(30)));
  static_cast<void>(passive.number("max_ejected", 50, 0, 100));
  static_cast<void>(in.choice("initial", "probe-first", {"up", "down", "probe-first"}));
}

inline void ask_retry(const ConfigReader& in) {
  static_cast<void>(in.number("attempts", 2, 1, 10));
  static_cast<void>(in.number("budget", 20, 0, 100));
  static_cast<void>(
      in.choices("on", {"connect", "unsent", "refused-stream"},
                 {"connect", "unsent", "refused-stream", "idempotent", "502", "503", "504"}));
}

inline void ask_mcp(const ConfigReader& in) {
  using std::chrono::seconds;
  static_cast<void>(in.choice("session_ids", "wrap", {"wrap", "learn"}));
  static_cast<void>(in.choice("carry_over", "compatible", {"off", "compatible", "always"}));
  static_cast<void>(in.duration("keep_alive", seconds(15), Off::kAllowed));
  static_cast<void>(in.duration("session_idle", std::chrono::minutes(30), Off::kAllowed));
  static_cast<void>(in.text("bind_to", "off"));
  static_cast<void>(in.text("store", ""));
}

/// Asks for every module's keys in every pool, then reports what nobody asked for.
inline void ask_all(Config& config) {
  for (const PoolModel& pool : config.model().pools) {
    ask_affinity(pool.settings.table("affinity"));
    ask_balance(pool.settings.table("balance"));
    ask_health(pool.settings.table("health"));
    ask_retry(pool.settings.table("retry"));
    ask_mcp(pool.settings.table("mcp"));
  }
  config.report_unknown_keys(kModuleNames);
}

}  // namespace limpet::fake
