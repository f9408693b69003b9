// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <limits>
#include <utility>

#include "daemon/config/tables.h"

namespace limpet {
namespace {

constexpr std::int64_t kWeightMax = 65535;

const std::vector<std::string>& default_chain() {
  static const std::vector<std::string> kChain = {
      "request_id", "headers", "affinity", "balance", "health", "retry", "metrics", "access_log"};
  return kChain;
}

Preset read_preset(const ConfigReader& in) {
  return in.choice<Preset>("preset", Preset::kWeb,
                           {{"web", Preset::kWeb},
                            {"strict", Preset::kStrict},
                            {"mcp", Preset::kMcp},
                            {"azure", Preset::kAzure}},
                           "defaults for the tables of the pool");
}

void load_discovery(const ConfigReader& in, DiscoveryModel& out) {
  out.settings = in;
  out.type = in.choice<DiscoveryType>("type", out.type,
                                      {{"static", DiscoveryType::kStatic},
                                       {"dns", DiscoveryType::kDns},
                                       {"file", DiscoveryType::kFile}});
  out.name = in.text("name", "", "dns: host:port");
  out.path = in.text("path", "", "file: watched, replaced atomically");
}

void load_replica_tls(const ConfigReader& in, ReplicaTlsModel& out) {
  out.settings = in;
  out.enabled = in.flag("enabled", out.enabled, "TLS to the replicas");
  out.ca = in.text("ca", out.ca, "system, or a PEM file");
  out.server_name = in.text("server_name", "", "\"\": the replica's host");
  out.cert = in.text("cert", "", "limpet's own certificate");
  out.key = in.text("key", "", "and its key");
}

void load_pool_timeouts(const ConfigReader& in, const TimeoutsModel& global,
                        PoolTimeoutsModel& out) {
  out.connect = load_patience(in, "connect", global.connect);
  out.response_head = load_patience(in, "response_head", global.response_head);
  out.response_body = load_patience(in, "response_body", global.response_body);
  out.stream_idle = load_patience(in, "stream_idle", global.stream_idle);
  out.replica_idle = load_patience(in, "replica_idle", global.replica_idle);
}

void load_pool(PoolModel& pool, const TimeoutsModel& timeouts) {
  const ConfigReader& in = pool.settings;
  pool.where = in.position();
  pool.chain = in.texts("chain", default_chain(), "modules, asked in this order");
  load_replicas(pool);
  pool.protocol = in.choice<ReplicaProtocol>("protocol", pool.protocol,
                                             {{"http1", ReplicaProtocol::kHttp1},
                                              {"http2", ReplicaProtocol::kHttp2},
                                              {"auto", ReplicaProtocol::kAuto}});
  pool.forward_host = in.choice<ForwardHost>(
      "forward_host", pool.forward_host,
      {{"client", ForwardHost::kClient}, {"replica", ForwardHost::kReplica}});
  pool.send_proxy_protocol = in.choice<ProxyVersion>(
      "send_proxy_protocol", pool.send_proxy_protocol,
      {{"off", ProxyVersion::kNone}, {"v1", ProxyVersion::k1}, {"v2", ProxyVersion::k2}},
      "tells replicas the client's address at the front of each connection");
  pool.revisions = in.integers_by_name("revisions", "share of new sessions by revision");
  load_replica_tls(in.table("tls"), pool.tls);
  load_discovery(in.table("discovery"), pool.discovery);
  load_pool_timeouts(in.table("timeouts"), timeouts, pool.timeouts);
}

/// Sets the address, or says what is wrong with it.
std::string take_address(const std::string& text, ReplicaModel& replica) {
  const auto address = Address::parse(text);
  if (!address) return "address: " + address.error().text;
  if (address->is_ip() && address->port() == 0) {
    return "address: a replica has a port from 1 to 65535";
  }
  replica.address = *address;
  return {};
}

void load_short_form(PoolModel& pool) {
  const ConfigReader& in = pool.settings;
  const std::vector<std::string> texts = in.texts("replicas", {}, "addresses; they are the ids");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ReplicaModel& replica = pool.replicas.emplace_back();
    replica.id = texts[i];
    replica.where = in.position("replicas", i);
    replica.id_where = replica.where;
    const std::string fault = take_address(texts[i], replica);
    if (!fault.empty()) in.mistake("replicas", i, fault);
  }
}

void load_long_form(PoolModel& pool, const ConfigReader& in) {
  ReplicaModel& replica = pool.replicas.emplace_back();
  replica.where = in.position("address");
  replica.id_where = in.position("id");
  const std::string address = in.text("address", "", "IP:PORT or unix:/PATH");
  replica.id = in.text("id", address, "its stable name");
  const std::string fault = take_address(address, replica);
  if (!in.has("address")) {
    in.mistake("address: a replica has an address such as \"10.0.0.11:3001\"");
  } else if (!fault.empty()) {
    in.mistake("address", fault);
  }
  replica.weight = static_cast<std::uint32_t>(in.number("weight", 1, 0, kWeightMax));
  replica.revision = in.text("revision", "", "the release it runs");
  replica.backup = in.flag("backup", false, "only when no other replica is eligible");
  replica.state = in.choice<ReplicaState>("state", replica.state,
                                          {{"ready", ReplicaState::kReady},
                                           {"drain", ReplicaState::kDrain},
                                           {"down", ReplicaState::kDown}});
}

}  // namespace

void load_replicas(PoolModel& pool) {
  load_short_form(pool);
  for (const ConfigReader& in : pool.settings.tables("replica"))
    load_long_form(pool, in);
}

void load_pools(const ConfigReader& root, Ledger& ledger, const PresetTables& presets,
                Model& model) {
  for (auto& [name, in] : root.tables_by_name("pool")) {
    PoolModel& pool = model.pools.emplace_back();
    pool.name = name;
    pool.settings = in;
    pool.preset = read_preset(in);
    ledger.lay_beneath(in, presets(pool.preset));
    load_pool(pool, model.timeouts);
  }
}

}  // namespace limpet
