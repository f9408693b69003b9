// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/gauges.h"

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "daemon/control/standing.h"
#include "daemon/version.h"

namespace limpet::control {

namespace {

void add_replica(std::vector<Sample>& out, const std::string& pool, const Replica& replica,
                 const ReplicaStanding& standing) {
  const Labels labels = {{"pool", pool}, {"replica", replica.id}};
  out.push_back({"limpet_replica_up", labels, standing.is_up ? 1.0 : 0.0});
  out.push_back({"limpet_replica_inflight", labels, static_cast<double>(standing.in_flight)});
  out.push_back({"limpet_replica_queue", labels, static_cast<double>(standing.queued)});
  out.push_back({"limpet_replica_sessions", labels, static_cast<double>(standing.sessions)});
  out.push_back({"limpet_replica_connections", labels, static_cast<double>(standing.connections)});
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    Labels with_state = labels;
    with_state.emplace_back("state", kStates[i]);
    const bool is_it = static_cast<std::size_t>(standing.admin) == i;
    out.push_back({"limpet_replica_state", with_state, is_it ? 1.0 : 0.0});
  }
}

double seconds(WallSeconds at) { return static_cast<double>(at.time_since_epoch().count()); }

/// Of what is shown to clients and to replicas now; a file that several tables name is one.
void add_certificates(std::vector<Sample>& out, const Snapshot& snapshot) {
  std::map<std::string_view, WallSeconds> ends;
  const auto add = [&ends](std::span<const TlsCertificateFacts> certificates) {
    for (const TlsCertificateFacts& facts : certificates)
      ends.emplace(facts.file, facts.not_after);
  };
  for (const ListenerPlan& listener : snapshot.listeners) {
    if (listener.tls.context != nullptr) add(listener.tls.context->certificates());
  }
  for (const auto& pool : snapshot.pools) {
    if (pool->reach.tls != nullptr) add(pool->reach.tls->certificates());
  }
  for (const auto& [file, end] : ends) {
    out.push_back(
        {"limpet_cert_expiry_timestamp_seconds", {{"name", std::string(file)}}, seconds(end)});
  }
}

}  // namespace

std::vector<Sample> gauges(const Process& process) {
  std::vector<Sample> out;
  const ProcessFacts facts = process.facts();
  out.push_back({"limpet_build_info", {{"version", std::string(kVersion)}}, 1});
  out.push_back(
      {"limpet_config_last_reload_successful", {}, facts.is_last_reload_good ? 1.0 : 0.0});
  out.push_back({"limpet_config_last_reload_timestamp_seconds", {}, seconds(facts.adopted_at)});
  out.push_back(
      {"limpet_access_log_dropped_total", {}, static_cast<double>(facts.access_log_dropped)});
  for (std::size_t i = 0; i < facts.workers.size(); ++i) {
    out.push_back(
        {"limpet_core_busy_ratio", {{"core", std::to_string(i)}}, facts.workers[i].busy_ratio});
  }
  const auto snapshot = process.snapshot();
  if (snapshot == nullptr) return out;
  out.push_back({"limpet_config_revision", {}, static_cast<double>(snapshot->revision)});
  out.push_back({"limpet_config_revision_info",
                 {{"revision", std::to_string(snapshot->revision)}, {"file", facts.config_file}},
                 1});
  add_certificates(out, *snapshot);
  for (const auto& pool : snapshot->pools) {
    for (const Replica& replica : pool->facts.replicas) {
      add_replica(out, pool->facts.name, replica,
                  standing_of(replica, process.now(), process.wall_now()));
    }
  }
  return out;
}

}  // namespace limpet::control
