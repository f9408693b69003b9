// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/views.h"

#include <cmath>
#include <map>
#include <string_view>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "daemon/base/timestamp.h"
#include "daemon/control/standing.h"
#include "daemon/version.h"

namespace limpet::control {

namespace {

using Json = nlohmann::ordered_json;

/// What workers have counted for one pool since the start.
struct PoolTotals {
  std::uint64_t requests = 0;
  std::map<std::string, std::uint64_t> outcomes;
  std::map<std::string, std::uint64_t> causes;
};
using Totals = std::map<std::string, PoolTotals>;

std::string_view label(const MetricSet::Key& key, std::string_view name) {
  for (const auto& [label, value] : key.labels) {
    if (label == name) return value;
  }
  return {};
}

void count(Totals& totals, const MetricSet::Key& key, std::uint64_t value) {
  if (value == 0) return;
  PoolTotals& pool = totals[std::string(label(key, "pool"))];
  if (key.name == "limpet_requests_total") pool.requests += value;
  if (key.name != "limpet_affinity_total") return;
  pool.outcomes[std::string(label(key, "outcome"))] += value;
  const std::string cause(label(key, "cause"));
  if (!cause.empty() && cause != "none") pool.causes[cause] += value;
}

Totals totals_of(const Process& process) {
  Totals totals;
  for (const MetricSet* set : process.metric_sets()) {
    set->visit([&](const MetricSet::Key& key, const Counter& c) { count(totals, key, c.value()); },
               [](const MetricSet::Key&, const Gauge&) {},
               [](const MetricSet::Key&, const Histogram&) {});
  }
  return totals;
}

std::string print(WallSeconds at) {
  std::string out;
  Timestamp().append_rfc3339(out, at);
  return out;
}

Json replica_view(const std::string& pool, const Replica& replica, const Process& process) {
  const Instant now = process.now();
  const ReplicaStanding standing = standing_of(replica, now, process.wall_now());
  Json view = {{"id", replica.id},
               {"pool", pool},
               {"address", replica.address_text},
               {"state", kStates[static_cast<std::size_t>(standing.admin)]},
               {"health", standing.health},
               {"up", standing.is_up},
               {"weight", replica.weight},
               {"revision", replica.revision},
               {"backup", replica.is_backup},
               {"in_flight", standing.in_flight},
               {"queued", standing.queued},
               {"sessions", standing.sessions},
               {"connections", standing.connections},
               {"latency_ms", std::round(standing.latency_us / 10.0) / 100.0}};
  if (standing.health == "ejected") {
    const Instant until{Duration(replica.vitals->ejected_until_ns.load(std::memory_order_relaxed))};
    view["ejected_seconds"] =
        std::chrono::duration_cast<std::chrono::seconds>(until - now).count() + 1;
  }
  return view;
}

Json replica_views(const PoolPlan& pool, const Process& process) {
  Json views = Json::array();
  for (const Replica& replica : pool.facts.replicas) {
    views.push_back(replica_view(pool.facts.name, replica, process));
  }
  return views;
}

Json pool_view(const PoolPlan& pool, const Process& process, const Totals& totals) {
  const auto at = totals.find(pool.facts.name);
  const PoolTotals none;
  const PoolTotals& counted = at == totals.end() ? none : at->second;
  std::uint64_t up = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t queued = 0;
  std::uint64_t sessions = 0;
  for (const Replica& replica : pool.facts.replicas) {
    const ReplicaStanding standing = standing_of(replica, process.now(), process.wall_now());
    up += standing.is_up ? 1 : 0;
    in_flight += standing.in_flight;
    queued += standing.queued;
    sessions += standing.sessions;
  }
  Json chain = Json::array();
  bool is_sticky = false;
  for (const ChainLink& link : pool.chain) {
    chain.push_back(link.name);
    is_sticky |= link.name == "affinity";
  }
  return {{"name", pool.facts.name},
          {"chain", chain},
          {"affinity", is_sticky},
          {"replicas_total", pool.facts.replicas.size()},
          {"replicas_up", up},
          {"in_flight", in_flight},
          {"queued", queued},
          {"sessions", sessions},
          {"requests", counted.requests},
          {"outcomes", counted.outcomes},
          {"causes", counted.causes}};
}

std::string_view name_of(ProcessFacts::Stage stage) {
  switch (stage) {
    case ProcessFacts::Stage::kStarting:
      return "starting";
    case ProcessFacts::Stage::kReady:
      return "ready";
    case ProcessFacts::Stage::kDraining:
      return "draining";
  }
  return "starting";
}

Json process_view(const Process& process) {
  const ProcessFacts facts = process.facts();
  const auto snapshot = process.snapshot();
  const auto uptime = process.wall_now() - facts.started_at;
  Json workers = Json::array();
  std::uint64_t connections = 0;
  for (std::size_t i = 0; i < facts.workers.size(); ++i) {
    connections += facts.workers[i].connections;
    workers.push_back({{"worker", i},
                       {"connections", facts.workers[i].connections},
                       {"busy_percent", std::round(facts.workers[i].busy_ratio * 1000) / 10}});
  }
  return {{"version", kVersion},
          {"stage", name_of(facts.stage)},
          {"pid", ::getpid()},
          {"config", facts.config_file},
          {"revision", snapshot == nullptr ? 0 : snapshot->revision},
          {"started", print(facts.started_at)},
          {"uptime_seconds", uptime.count()},
          {"in_force_since", print(facts.adopted_at)},
          {"last_reload",
           {{"good", facts.is_last_reload_good},
            {"at", print(facts.reloaded_at)},
            {"failed", facts.reloads_failed}}},
          {"connections", connections},
          {"access_log_dropped", facts.access_log_dropped},
          {"workers", workers}};
}

// Names come from files and the network's bytes never get here, but a byte that is no UTF-8 must
// not throw.
std::string print(const Json& view) {
  return view.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string status_json(const Process& process) {
  Json view = process_view(process);
  view["pools"] = Json::array();
  const auto snapshot = process.snapshot();
  if (snapshot == nullptr) return print(view);
  const Totals totals = totals_of(process);
  for (const auto& pool : snapshot->pools) {
    Json entry = pool_view(*pool, process, totals);
    entry["replicas"] = replica_views(*pool, process);
    view["pools"].push_back(std::move(entry));
  }
  return print(view);
}

std::string pools_json(const Process& process) {
  Json views = Json::array();
  const auto snapshot = process.snapshot();
  if (snapshot == nullptr) return print({{"pools", views}});
  const Totals totals = totals_of(process);
  for (const auto& pool : snapshot->pools)
    views.push_back(pool_view(*pool, process, totals));
  return print({{"pools", views}});
}

std::string replicas_json(const Process& process, const std::string& pool) {
  Json views = Json::array();
  const auto snapshot = process.snapshot();
  if (snapshot == nullptr) return print({{"replicas", views}});
  for (const auto& plan : snapshot->pools) {
    if (!pool.empty() && plan->facts.name != pool) continue;
    for (Json& view : replica_views(*plan, process))
      views.push_back(std::move(view));
  }
  return print({{"replicas", views}});
}

std::string error_json(const std::string& text) { return print({{"error", text}}); }

}  // namespace limpet::control
