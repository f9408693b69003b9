// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <limits>

#include "daemon/config/tables.h"

namespace limpet {
namespace {

constexpr std::int64_t kNumberMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kWorkersMax = 1024;
constexpr std::uint64_t kKib = 1024;
// What the codecs of both versions can keep.
constexpr std::uint64_t kRequestLineBytesMax = 64 * kKib;
constexpr std::uint64_t kHeaderBytesMax = 512 * kKib;
constexpr std::int64_t kHeaderFieldsMax = 1024;

void load_daemon(const ConfigReader& in, DaemonModel& out) {
  if (const auto workers = in.number_or_auto("workers", 1, kWorkersMax,
                                             "worker threads; auto: one per usable core")) {
    out.workers = static_cast<std::uint32_t>(*workers);
  }
  out.pin = in.flag("pin", out.pin, "keep each worker on its core");
  out.user = in.text("user", out.user, "dropped to when started as root");
  out.state_dir = in.text("state_dir", out.state_dir,
                          "affinity keys, and what is known of replicas across restarts");
  out.drain_timeout = in.duration("drain_timeout", out.drain_timeout, Off::kAllowed,
                                  "how long running exchanges may finish at the end");
  out.log_level = in.choice<LogLevel>("log_level", out.log_level,
                                      {{"debug", LogLevel::kDebug},
                                       {"info", LogLevel::kInfo},
                                       {"warning", LogLevel::kWarning},
                                       {"error", LogLevel::kError}});
  out.log_format = in.choice<LogFormat>("log_format", out.log_format,
                                        {{"text", LogFormat::kText}, {"json", LogFormat::kJson}});
  if (out.state_dir.empty()) in.mistake("state_dir", "state_dir: expected a directory, found \"\"");
}

void load_admin(const ConfigReader& in, AdminModel& out) {
  const std::string bind = in.text("bind", "127.0.0.1:9180", "metrics, health, dashboard");
  out.where = in.position("bind");
  out.socket = in.text("socket", "/run/limpet/control.sock", "where limpetctl connects");
  if (bind.empty()) return;
  if (const auto address = Address::parse(bind)) {
    out.bind = *address;
  } else {
    in.mistake("bind", "bind: " + address.error().text);
  }
}

void load_access_log(const ConfigReader& in, AccessLogModel& out) {
  out.format = in.choice<AccessLogFormat>("format", out.format,
                                          {{"json", AccessLogFormat::kJson},
                                           {"combined", AccessLogFormat::kCombined},
                                           {"off", AccessLogFormat::kOff}});
  out.path = in.text("path", out.path, "stdout, stderr, syslog, or a file");
  if (out.path.empty()) {
    in.mistake("path", "path: expected \"stdout\", \"stderr\", \"syslog\" or a file, found \"\"");
  }
}

void load_http2_floods(const ConfigReader& in, Http2FloodsModel& out) {
  // Less than a healthy connection's own state would end every connection at its start.
  constexpr std::uint64_t kConnectionBytesMin = 64 * kKib;
  const auto count = [&in](std::string_view key, std::uint32_t fallback, std::string_view help) {
    return static_cast<std::uint32_t>(
        in.number(key, fallback, 0, std::numeric_limits<std::int32_t>::max(), help));
  };
  out.mode = in.choice<FloodAnswer>(
      "mode", out.mode, {{"enforce", FloodAnswer::kEnforce}, {"report", FloodAnswer::kReport}},
      "report: what goes beyond is counted only");
  out.window = in.duration("window", out.window, Off::kRefused, "all counts begin anew after it");
  out.resets = count("resets", out.resets, "streams that the client took back");
  out.provoked_resets =
      count("provoked_resets", out.provoked_resets, "streams reset because of a broken rule");
  out.continuations =
      count("continuations", out.continuations, "frames of one head, whatever the window");
  out.settings = count("settings", out.settings, "other than acknowledgements");
  out.pings = count("pings", out.pings, "beyond one for each frame of data sent");
  out.empty_data = count("empty_data", out.empty_data, "frames that hold and end nothing");
  out.priorities = count("priorities", out.priorities, "PRIORITY and PRIORITY_UPDATE");
  out.other_frames = count("other_frames", out.other_frames,
                           "WINDOW_UPDATE and the like, beyond ten a frame of data and stream");
  out.connection_bytes =
      in.bytes("connection_bytes", out.connection_bytes, 0, "state kept for one connection");
  if (out.connection_bytes != 0 && out.connection_bytes < kConnectionBytesMin) {
    in.mistake("connection_bytes", "connection_bytes: expected 64KiB or more, or 0 for no limit");
  }
  if (out.window <= Duration::zero()) {
    in.mistake("window", "window: expected a time above 0s");
  }
}

void load_limits(const ConfigReader& in, LimitsModel& out) {
  const auto count = [&in](std::string_view key, std::uint64_t fallback, std::int64_t min,
                           std::int64_t max) {
    return static_cast<std::uint64_t>(
        in.number(key, static_cast<std::int64_t>(fallback), min, max));
  };
  if (const auto connections =
          in.number_or_auto("connections", 1, kNumberMax, "auto: from the descriptor limit")) {
    out.connections = static_cast<std::uint64_t>(*connections);
  }
  out.connections_per_client =
      count("connections_per_client", out.connections_per_client, 0, kNumberMax);
  out.request_line_bytes = in.bytes("request_line_bytes", out.request_line_bytes, kKib / 4);
  out.header_bytes = in.bytes("header_bytes", out.header_bytes, kKib);
  if (out.request_line_bytes > kRequestLineBytesMax) {
    in.mistake("request_line_bytes", "request_line_bytes: expected 64KiB or less");
  }
  if (out.header_bytes > kHeaderBytesMax) {
    in.mistake("header_bytes", "header_bytes: expected 512KiB or less");
  }
  out.header_fields = count("header_fields", out.header_fields, 8, kHeaderFieldsMax);
  out.http2_streams = count("http2_streams", out.http2_streams, 1, kNumberMax >> 32U);
  out.buffer_bytes = in.bytes("buffer_bytes", out.buffer_bytes, 4 * kKib);
  out.request_body_bytes = in.bytes("request_body_bytes", out.request_body_bytes, 0,
                                    "largest request body, 0 = no limit");
  load_http2_floods(in.table("http2_floods"), out.http2_floods);
}

void load_timeouts(const ConfigReader& in, TimeoutsModel& out) {
  const auto read = [&in](std::string_view key, Duration fallback, std::string_view help) {
    return load_patience(in, key, fallback, help);
  };
  out.request_head = read("request_head", out.request_head, "from first byte to end of head");
  out.client_idle = read("client_idle", out.client_idle, "keep-alive");
  out.client_stall = read("client_stall", out.client_stall, "no byte in or out while one is due");
  out.connect = read("connect", out.connect, "to a replica");
  out.response_head = read("response_head", out.response_head, "silence before a response head");
  out.response_body = read("response_body", out.response_body, "silence inside a response");
  out.stream_idle = read("stream_idle", out.stream_idle, "silence of SSE and upgraded streams");
  out.replica_idle = read("replica_idle", out.replica_idle, "unused replica connections");
}

}  // namespace

Duration load_patience(const ConfigReader& in, std::string_view key, Duration fallback,
                       std::string_view help) {
  const Duration patience = in.duration(key, fallback, Off::kAllowed, help);
  if (patience <= Duration::zero()) {
    in.mistake(key, std::string(key) + ": expected a time above 0s, or \"off\"");
  }
  return patience;
}

void load_globals(const ConfigReader& root, Model& model) {
  load_daemon(root.table("daemon"), model.daemon);
  load_admin(root.table("admin"), model.admin);
  load_access_log(root.table("access_log"), model.access_log);
  model.keys.file =
      root.table("keys").text("file", "", "what affinity tokens are sealed with; \"\": own key");
  load_limits(root.table("limits"), model.limits);
  load_timeouts(root.table("timeouts"), model.timeouts);
}

void load_modules(const ConfigReader& root, Model& model) {
  for (const ConfigReader& in : root.tables("module")) {
    ModuleModel& module = model.modules.emplace_back();
    module.settings = in;
    module.where = in.position();
    module.name = in.text("name", "", "how a chain names it");
    module.path = in.text("path", "", "the shared object");
    if (module.name.empty()) in.mistake("name", "name: a module has a name");
    if (module.path.empty()) in.mistake("path", "path: a module has the path of its file");
  }
}

}  // namespace limpet
