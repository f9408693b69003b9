// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/numbers.h"

#include <utility>

namespace limpet::mcp {

namespace {

const std::string kOther = "other";
const std::string kNobody;
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

std::string_view name_of(SessionEnd end) noexcept {
  static constexpr std::array<std::string_view, kSessionEnds> kNames = {"deleted", "reaped",
                                                                        "closed"};
  return kNames[static_cast<std::size_t>(end)];
}

std::string_view name_of(ClientEra era) noexcept {
  static constexpr std::array<std::string_view, kClientEras> kNames = {"session", "modern",
                                                                       "legacy"};
  return kNames[static_cast<std::size_t>(era)];
}

std::string_view name_of(DoubtEnd end) noexcept {
  static constexpr std::array<std::string_view, kDoubtEnds> kNames = {"alive", "lost", "silent"};
  return kNames[static_cast<std::size_t>(end)];
}

std::string_view name_of(ListenDrop drop) noexcept {
  static constexpr std::array<std::string_view, kListenDrops> kNames = {"unreadable", "unwanted",
                                                                        "slow-client"};
  return kNames[static_cast<std::size_t>(drop)];
}

Numbers::Numbers(MetricSet& metrics, std::string pool)
    : metrics_(metrics),
      pool_(std::move(pool)),
      stale_(metrics_.counter("limpet_mcp_stale_ids_total", {{"pool", pool_}})),
      unanswered_(metrics_.counter("limpet_mcp_unanswered_calls_total", {{"pool", pool_}})) {}

template <typename T>
const std::string& Numbers::bounded(const std::map<std::string, T*, std::less<>>& held,
                                    const std::string& name, std::size_t max) {
  return held.size() < max || held.find(name) != held.end() ? name : kOther;
}

// Indexes are the pool's, which stays the same as long as this module's generation.
Numbers::OfReplica& Numbers::of(const Replica& replica) {
  if (by_index_.size() <= replica.index) [[unlikely]]
    by_index_.resize(replica.index + std::size_t{1});
  return by_index_[replica.index];
}

StreamNumbers Numbers::streams_of(const Replica& replica) {
  StreamNumbers& numbers = of(replica).streams;
  if (numbers.open == nullptr) [[unlikely]] {
    const Labels labels = {{"pool", pool_}, {"replica", replica.id}};
    numbers.open = &metrics_.gauge("limpet_mcp_streams", labels);
    numbers.keep_alives = &metrics_.counter("limpet_mcp_keep_alives_total", labels);
  }
  return numbers;
}

void Numbers::note_started(const std::string& replica) {
  metrics_.counter("limpet_mcp_sessions_started_total", {{"pool", pool_}, {"replica", replica}})
      .add();
}

void Numbers::note_client(ClientEra era, std::string_view client) {
  auto& clients = clients_[static_cast<std::size_t>(era)];
  const std::string wanted = label_of(client);
  const std::string& name = bounded(clients, wanted, kClientsMax);
  Counter*& counter = clients[name];
  if (counter == nullptr)
    counter =
        &metrics_.counter("limpet_mcp_clients_total",
                          {{"pool", pool_}, {"client", name}, {"era", std::string(name_of(era))}});
  counter->add();
}

void Numbers::note_request(ClientEra era, const Replica* replica) {
  OfReplica& numbers = replica == nullptr ? of_none_ : of(*replica);
  Counter*& counter = numbers.requests[static_cast<std::size_t>(era)];
  if (counter == nullptr) [[unlikely]]
    counter = &metrics_.counter("limpet_mcp_requests_total",
                                {{"pool", pool_},
                                 {"replica", replica == nullptr ? kNobody : replica->id},
                                 {"era", std::string(name_of(era))}});
  counter->add();
}

void Numbers::note_ended(const std::string& replica, SessionEnd end) {
  metrics_
      .counter("limpet_mcp_sessions_ended_total",
               {{"pool", pool_}, {"replica", replica}, {"cause", std::string(name_of(end))}})
      .add();
}

void Numbers::note_lost(const std::string& replica, LossCause cause) {
  metrics_
      .counter("limpet_mcp_sessions_lost_total",
               {{"pool", pool_}, {"replica", replica}, {"cause", std::string(name_of(cause))}})
      .add();
}

void Numbers::note_carry(const std::string& replica, CarryEnd end) {
  metrics_
      .counter("limpet_mcp_carry_overs_total",
               {{"pool", pool_}, {"replica", replica}, {"result", std::string(name_of(end))}})
      .add();
}

void Numbers::note_doubt(const std::string& replica, DoubtEnd end) {
  metrics_
      .counter("limpet_mcp_doubts_total",
               {{"pool", pool_}, {"replica", replica}, {"result", std::string(name_of(end))}})
      .add();
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

void Numbers::note_listen_drops(ListenDrop drop, std::uint64_t notices) {
  if (notices == 0) return;
  metrics_
      .counter("limpet_mcp_listen_dropped_total",
               {{"pool", pool_}, {"cause", std::string(name_of(drop))}})
      .add(notices);
}

void Numbers::set_living(const std::string& replica, std::uint64_t sessions) {
  metrics_.gauge("limpet_mcp_sessions", {{"pool", pool_}, {"replica", replica}})
      .set(static_cast<std::int64_t>(sessions));
}

void Numbers::set_stored(const std::string& kind, std::uint64_t amount) {
  metrics_.gauge("limpet_mcp_store", {{"pool", pool_}, {"kind", kind}})
      .set(static_cast<std::int64_t>(amount));
}

void Numbers::set_tasks(const std::string& kind, std::uint64_t amount) {
  metrics_.gauge("limpet_mcp_tasks", {{"pool", pool_}, {"kind", kind}})
      .set(static_cast<std::int64_t>(amount));
}

void OpenStream::begin(Exchange& exchange) {
  of_ = numbers_.streams_of(*exchange.replica);
  of_.open->add(1);
  exchange.keep_alives = of_.keep_alives;
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
