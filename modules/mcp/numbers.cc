// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/numbers.h"

#include <utility>

namespace limpet::mcp {

namespace {

const std::string kOther = "other";
constexpr std::size_t kLabelBytesMax = 64;

std::string label_of(std::string_view text) {
  if (text.empty()) return "unknown";
  return std::string(text.substr(0, kLabelBytesMax));
}

}  // namespace

std::string_view name_of(LossCause cause) noexcept {
  static constexpr std::array<std::string_view, kLossCauses> kNames = {"gone", "denied",
                                                                       "draining"};
  return kNames[static_cast<std::size_t>(cause)];
}

Numbers::Numbers(MetricSet& metrics, std::string pool)
    : metrics_(metrics),
      pool_(std::move(pool)),
      keep_alives_(metrics_.counter("limpet_mcp_keep_alives_total", {{"pool", pool_}})),
      streams_(metrics_.gauge("limpet_mcp_streams", {{"pool", pool_}})),
      stale_(metrics_.counter("limpet_mcp_stale_ids_total", {{"pool", pool_}})),
      unanswered_(metrics_.counter("limpet_mcp_unanswered_calls_total", {{"pool", pool_}})) {}

template <typename T>
const std::string& Numbers::bounded(const std::map<std::string, T*, std::less<>>& held,
                                    const std::string& name, std::size_t max) {
  return held.size() < max || held.find(name) != held.end() ? name : kOther;
}

void Numbers::note_started(const std::string& replica, std::string_view client) {
  metrics_.counter("limpet_mcp_sessions_started_total", {{"pool", pool_}, {"replica", replica}})
      .add();
  const std::string wanted = label_of(client);
  const std::string& name = bounded(clients_, wanted, kClientsMax);
  Counter*& counter = clients_[name];
  if (counter == nullptr)
    counter = &metrics_.counter("limpet_mcp_clients_total", {{"pool", pool_}, {"client", name}});
  counter->add();
}

void Numbers::note_ended(SessionEnd end) {
  metrics_
      .counter("limpet_mcp_sessions_ended_total",
               {{"pool", pool_}, {"cause", end == SessionEnd::kDeleted ? "deleted" : "reaped"}})
      .add();
}

void Numbers::note_lost(LossCause cause) {
  Counter*& counter = losses_[static_cast<std::size_t>(cause)];
  if (counter == nullptr)
    counter = &metrics_.counter("limpet_mcp_sessions_lost_total",
                                {{"pool", pool_}, {"cause", std::string(name_of(cause))}});
  counter->add();
}

void Numbers::note_carry(CarryEnd end) {
  Counter*& counter = carries_[static_cast<std::size_t>(end)];
  if (counter == nullptr)
    counter = &metrics_.counter("limpet_mcp_carry_overs_total",
                                {{"pool", pool_}, {"result", std::string(name_of(end))}});
  counter->add();
}

void Numbers::note_stale() { stale_.add(); }

void Numbers::note_unanswered() { unanswered_.add(); }

void Numbers::note_tool_call(std::string_view tool, std::chrono::nanoseconds took) {
  auto at = tools_.find(tool.substr(0, kLabelBytesMax));
  if (at == tools_.end()) {
    const std::string wanted = label_of(tool);
    const std::string& name = bounded(tools_, wanted, kToolsMax);
    at = tools_.emplace(name, nullptr).first;
    if (at->second == nullptr)
      at->second =
          &metrics_.histogram("limpet_mcp_tool_call_seconds", {{"pool", pool_}, {"tool", name}});
  }
  at->second->observe(took);
}

void Numbers::set_living(const std::string& replica, std::uint64_t sessions) {
  metrics_.gauge("limpet_mcp_sessions", {{"pool", pool_}, {"replica", replica}})
      .set(static_cast<std::int64_t>(sessions));
}

void Numbers::set_stored(const std::string& kind, std::uint64_t amount) {
  metrics_.gauge("limpet_mcp_store", {{"pool", pool_}, {"kind", kind}})
      .set(static_cast<std::int64_t>(amount));
}

RedisNumbers Numbers::redis() {
  RedisNumbers numbers;
  numbers.is_up = &metrics_.gauge("limpet_mcp_redis_links", {{"pool", pool_}});
  numbers.connects = &metrics_.counter("limpet_mcp_redis_connects_total", {{"pool", pool_}});
  const auto commands = [this](const char* result) {
    return &metrics_.counter("limpet_mcp_redis_commands_total",
                             {{"pool", pool_}, {"result", result}});
  };
  numbers.done = commands("success");
  numbers.failed = commands("failure");
  return numbers;
}

}  // namespace limpet::mcp
