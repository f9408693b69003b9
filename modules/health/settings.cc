// SPDX-License-Identifier: Apache-2.0
#include "modules/health/settings.h"

#include <chrono>
#include <optional>
#include <string>

#include "daemon/base/text.h"
#include "daemon/http/grpc.h"

namespace limpet::health {
namespace {

constexpr std::chrono::milliseconds kIntervalMin{50};
constexpr std::chrono::hours kIntervalMax{24 * 30};

// A table, or the text "off" in its place.
bool is_off(const ConfigReader& reader, std::string_view key) {
  if (!reader.is_text(key)) return false;
  return reader.choice(key, "off", {"off"}, "a table, or off") == "off";
}

Duration read_positive(const ConfigReader& reader, std::string_view key, Duration fallback,
                       std::string_view help) {
  const Duration value = reader.duration(key, fallback, Off::kRefused, help);
  if (value >= kIntervalMin && value <= kIntervalMax) return value;
  reader.mistake(key,
                 std::string(key) + (value < kIntervalMin ? " is too short: expected at least 50ms"
                                                          : " is too long: expected at most 30d"));
  return fallback;
}

std::uint32_t read_count(const ConfigReader& reader, std::string_view key, std::int64_t fallback,
                         std::int64_t max, std::string_view help) {
  return static_cast<std::uint32_t>(reader.number(key, fallback, 1, max, help));
}

void read_http(const ConfigReader& table, ActiveSettings& active) {
  active.spec.path = table.text("path", "/healthz", "what an http probe asks for");
  if (!active.spec.path.starts_with('/') ||
      active.spec.path.find_first_of(" \t\r\n#") != std::string::npos) {
    table.mistake("path", "\"" + text::escaped(active.spec.path) +
                              "\" is not a path: expected one that begins with \"/\", no spaces");
  }
  active.spec.host = table.text("host", "", "Host field of an http probe, \"\" = the address");
  if (active.spec.host.find_first_of(" \t\r\n/@") != std::string::npos) {
    table.mistake("host", "\"" + text::escaped(active.spec.host) + "\" is not a host");
  }
  const std::string status = table.text("status", "200-399", "statuses that are good");
  if (const auto ranges = StatusRanges::parse(status)) {
    active.good = *ranges;
  } else {
    table.mistake("status", "\"" + text::escaped(status) +
                                "\" is not a list of statuses: expected one such as "
                                "\"200-399,404\"");
  }
}

void read_grpc(const ConfigReader& table, ActiveSettings& active) {
  active.spec.service =
      table.text("service", "", "what a grpc probe asks for, \"\" = the replica as a whole");
  if (active.spec.service.size() > kGrpcServiceBytesMax) {
    table.mistake("service",
                  "service: expected at most " + std::to_string(kGrpcServiceBytesMax) + " bytes");
  }
}

ActiveSettings read_active(const ConfigReader& reader) {
  ActiveSettings active;
  if (is_off(reader, "active")) {
    active.is_on = false;
    return active;
  }
  const ConfigReader table = reader.table("active");
  const auto type = table.choice("type", std::optional(ProbeSpec::Type::kHttp),
                                 {{"http", ProbeSpec::Type::kHttp},
                                  {"tcp", ProbeSpec::Type::kTcp},
                                  {"grpc", ProbeSpec::Type::kGrpc},
                                  {"off", std::nullopt}},
                                 "http, tcp, grpc or off");
  active.is_on = type.has_value();
  active.spec.type = type.value_or(ProbeSpec::Type::kTcp);
  read_http(table, active);
  read_grpc(table, active);
  active.interval =
      read_positive(table, "interval", std::chrono::seconds(5), "from probe to probe");
  active.spec.timeout =
      read_positive(table, "timeout", std::chrono::seconds(2), "after which a probe has failed");
  active.rise = read_count(table, "rise", 2, 1000, "good probes in a row until it is up");
  active.fall = read_count(table, "fall", 3, 1000, "failed probes in a row until it is down");
  active.jitter_percent = static_cast<std::uint32_t>(
      table.number("jitter", 20, 0, 100, "percent by which an interval may be longer or shorter"));
  return active;
}

PassiveSettings read_passive(const ConfigReader& reader) {
  PassiveSettings passive;
  if (is_off(reader, "passive")) {
    passive.failures = 0;
    return passive;
  }
  const ConfigReader table = reader.table("passive");
  passive.failures = static_cast<std::uint32_t>(
      table.number("failures", 5, 0, 1000, "failures in a row until it is ejected, 0 = off"));
  passive.window =
      read_positive(table, "window", std::chrono::seconds(10), "within which they come");
  passive.eject = read_positive(table, "eject", std::chrono::seconds(30),
                                "how long, the first time; longer with each repeat");
  passive.ejected_percent_max = static_cast<std::uint32_t>(
      table.number("max_ejected", 50, 0, 100, "percent of the pool that may be out"));
  return passive;
}

}  // namespace

std::optional<StatusRanges> StatusRanges::parse(std::string_view text) {
  StatusRanges ranges;
  std::string_view rest = text;
  do {
    std::string_view last = text::trim(text::cut(rest, ','));
    const bool is_range = last.find('-') != std::string_view::npos;
    const std::string_view first = text::cut(last, '-');
    const auto from = text::parse_unsigned(text::trim(first));
    const auto to = is_range ? text::parse_unsigned(text::trim(last)) : from;
    if (!from || !to || *from < 100 || *to > 599 || *from > *to) return std::nullopt;
    ranges.ranges_.emplace_back(static_cast<std::uint16_t>(*from), static_cast<std::uint16_t>(*to));
  } while (!rest.empty());
  if (text.ends_with(',')) return std::nullopt;
  return ranges;
}

bool StatusRanges::contains(std::uint16_t status) const noexcept {
  for (const auto& [from, to] : ranges_) {
    if (status >= from && status <= to) return true;
  }
  return false;
}

HealthSettings read_health_settings(const ConfigReader& reader) {
  HealthSettings settings;
  settings.active = read_active(reader);
  settings.passive = read_passive(reader);
  settings.initial = reader.choice(
      "initial", Health::kUnproven,
      {{"up", Health::kUp}, {"down", Health::kDown}, {"probe-first", Health::kUnproven}},
      "of a replica seen for the first time: up, down or probe-first");
  // Without probes nothing would ever prove it.
  if (!settings.active.is_on) settings.initial = Health::kUp;
  return settings;
}

}  // namespace limpet::health
