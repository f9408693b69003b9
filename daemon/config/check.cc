// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/check.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/text.h"

namespace limpet {
namespace {

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kReplicaIdMax = 128;
constexpr std::int64_t kShareMax = 65535;

bool is_letter_or_digit(char c) {
  return text::is_digit(c) || (text::lower(c) >= 'a' && text::lower(c) <= 'z');
}

/// Names go into tokens, headers, metrics and paths, so they are plain.
bool is_plain(std::string_view name, std::string_view also, std::size_t max) {
  return !name.empty() && name.size() <= max && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter_or_digit(c) || also.find(c) != std::string_view::npos;
  });
}

std::string quoted(std::string_view s) { return '"' + text::escaped(s) + '"'; }

/// Things that may be there once, with the place of the first.
class Once {
 public:
  explicit Once(Mistakes& mistakes) : mistakes_(mistakes) {}
  /// Whether it is the first of that key; if not, adds the mistake that `what` is already at …
  bool see(const std::string& key, Position where, const std::string& what) {
    const auto [seen, is_first] = places_.emplace(key, where);
    if (!is_first) {
      mistakes_.add(where, what + " is already at " + mistakes_.print(seen->second));
    }
    return is_first;
  }

 private:
  Mistakes& mistakes_;
  std::unordered_map<std::string, Position> places_;
};

void check_tls(const ListenerModel& listener, Mistakes& mistakes) {
  const TlsModel& tls = *listener.tls;
  if (tls.certificates.empty()) {
    mistakes.add(tls.settings.position("certificates"),
                 "tls: expected certificates = [ { cert = \"...\", key = \"...\" } ]");
  }
  if (tls.client_auth != ClientAuth::kOff && tls.client_ca.empty()) {
    mistakes.add(tls.settings.position("client_auth"),
                 "client_auth: clients cannot be checked without client_ca");
  }
  if (tls.client_auth == ClientAuth::kOff && !tls.client_ca.empty()) {
    mistakes.add(tls.settings.position("client_ca"),
                 "client_ca: no client is asked for a certificate; expected client_auth = "
                 "\"optional\" or \"required\" with it");
  }
}

void check_listeners(const Model& model, Mistakes& mistakes) {
  if (model.listeners.empty()) {
    mistakes.add({}, "no [[listener]]: nothing would be served");
  }
  Once names(mistakes);
  Once binds(mistakes);
  for (const ListenerModel& listener : model.listeners) {
    if (!is_plain(listener.name, "._-", kNameMax)) {
      mistakes.add(listener.settings.position("name"),
                   "name: expected 1 to 64 letters, digits, \".\", \"_\", \"-\"");
    }
    names.see(listener.name, listener.settings.position("name"),
              "name: listener " + quoted(listener.name));
    for (const BindModel& bind : listener.bind) {
      const bool is_any_port = bind.address.is_ip() && bind.address.port() == 0;
      if (is_any_port || (bind.address.is_empty() && !bind.is_systemd())) continue;
      binds.see(bind.is_systemd() ? bind.text : bind.address.print(), bind.where,
                "bind: " + quoted(bind.text));
    }
    if (listener.proxy_protocol && listener.trusted.empty()) {
      mistakes.add(listener.settings.position("proxy_protocol"),
                   "proxy_protocol: nobody may send it while trusted is empty");
    }
    if (listener.tls) check_tls(listener, mistakes);
  }
  if (model.admin.bind.is_empty() || model.admin.bind.port() == 0) return;
  binds.see(model.admin.bind.print(), model.admin.where,
            "bind: " + quoted(model.admin.bind.print()));
}

void check_target(const RouteModel& route, Mistakes& mistakes) {
  const ConfigReader& in = route.settings;
  std::vector<std::string_view> targets;
  for (const std::string_view key : {"pool", "redirect", "respond"}) {
    if (in.has(key)) targets.push_back(key);
  }
  if (targets.empty()) {
    mistakes.add(route.where, "a route has one of pool, redirect and respond; this one has none");
  } else if (targets.size() > 1) {
    mistakes.add(in.position(targets[1]),
                 "a route has one of pool, redirect and respond; this one has " +
                     std::string(targets[0]) + " and " + std::string(targets[1]));
  }
}

void check_routes(const Model& model, Mistakes& mistakes) {
  if (model.routes.empty()) mistakes.add({}, "no [[route]]: every request would be answered 404");
  std::vector<std::string_view> pools;
  for (const PoolModel& pool : model.pools)
    pools.emplace_back(pool.name);
  const std::set<std::string_view> known(pools.begin(), pools.end());
  Once ties(mistakes);
  for (const RouteModel& route : model.routes) {
    check_target(route, mistakes);
    if (route.settings.has("pool") && !known.contains(route.pool)) {
      mistakes.add(route.settings.position("pool"), "pool: there is no [pool." +
                                                        text::escaped(route.pool) + "]" +
                                                        did_you_mean(route.pool, pools));
    }
    ties.see(route.host + ' ' + route.path, route.where,
             "a route for host " + quoted(route.host) + " and path " + quoted(route.path));
  }
}

void check_replicas(const PoolModel& pool, Mistakes& mistakes) {
  Once ids(mistakes);
  Once addresses(mistakes);
  for (const ReplicaModel& replica : pool.replicas) {
    if (replica.address.is_empty()) continue;
    if (!is_plain(replica.id, "._-:/@[]%+~", kReplicaIdMax)) {
      mistakes.add(replica.id_where,
                   "id: expected 1 to 128 letters, digits or any of . _ - : / @ [ ] % + ~, found " +
                       quoted(replica.id));
    }
    const bool is_new =
        ids.see(replica.id, replica.id_where, "a replica with id " + quoted(replica.id));
    // In the short form both are one text, and one mistake is enough.
    if (!is_new && replica.id_where == replica.where) continue;
    addresses.see(replica.address.print(), replica.where,
                  "a replica with address " + quoted(replica.address.print()));
  }
}

void check_revisions(const PoolModel& pool, Mistakes& mistakes) {
  if (pool.revisions.empty()) return;
  const Position where = pool.settings.position("revisions");
  std::set<std::string_view> known;
  for (const ReplicaModel& replica : pool.replicas)
    known.insert(replica.revision);
  std::int64_t largest = 0;
  for (const auto& [name, weight] : pool.revisions) {
    largest = std::max(largest, weight);
    // Replicas that are discovered later bring their own revisions.
    if (pool.discovery.type != DiscoveryType::kStatic || known.contains(name)) continue;
    mistakes.add(where, "revisions: no replica of the pool has revision " + quoted(name) +
                            did_you_mean(name, {known.begin(), known.end()}));
  }
  if (largest == 0) mistakes.add(where, "revisions: at least one share is above 0");
  if (largest > kShareMax) mistakes.add(where, "revisions: expected shares from 0 to 65535");
}

void check_discovery(const PoolModel& pool, Mistakes& mistakes) {
  const DiscoveryModel& discovery = pool.discovery;
  switch (discovery.type) {
    case DiscoveryType::kStatic:
      if (!pool.replicas.empty() || pool.settings.has("replicas")) break;
      mistakes.add(pool.where, "pool " + quoted(pool.name) +
                                   " has no replicas; expected replicas = [\"IP:PORT\"], "
                                   "[[pool." +
                                   text::escaped(pool.name) + ".replica]] or discovery");
      return;
    case DiscoveryType::kDns:
      if (!discovery.name.empty()) return;
      mistakes.add(discovery.settings.position("type"),
                   "discovery: type \"dns\" needs name = \"host:port\"");
      return;
    case DiscoveryType::kFile:
      if (!discovery.path.empty()) return;
      mistakes.add(discovery.settings.position("type"),
                   "discovery: type \"file\" needs path = \"/path/of/the/file\"");
      return;
  }
  const Position list = pool.settings.position("replicas");
  const bool is_written_empty = pool.settings.position("replicas", 0) == list;
  if (pool.replicas.empty() && is_written_empty) {
    mistakes.add(list, "replicas: the pool has no replicas");
  }
}

void check_replica_tls(const PoolModel& pool, Mistakes& mistakes) {
  const ReplicaTlsModel& tls = pool.tls;
  if (tls.cert.empty() != tls.key.empty()) {
    mistakes.add(tls.settings.position(), "tls: cert and key belong together");
  }
  if (!tls.enabled) return;
  if (tls.ca.empty()) {
    mistakes.add(tls.settings.position("ca"), "ca: expected \"system\" or the path of a PEM file");
  }
  if (!tls.server_name.empty()) return;
  for (const ReplicaModel& replica : pool.replicas) {
    if (!replica.address.is_unix()) continue;
    mistakes.add(replica.where,
                 "tls: a Unix socket has no host to find in a certificate; expected server_name in "
                 "the pool's tls");
  }
}

void check_pools(const Model& model, Mistakes& mistakes) {
  for (const PoolModel& pool : model.pools) {
    if (!is_plain(pool.name, "._-", kNameMax)) {
      mistakes.add(pool.where,
                   "a pool's name has 1 to 64 letters, digits, \".\", \"_\", \"-\", not " +
                       quoted(pool.name));
    }
    check_replicas(pool, mistakes);
    check_revisions(pool, mistakes);
    check_discovery(pool, mistakes);
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < pool.chain.size(); ++i) {
      if (seen.insert(pool.chain[i]).second) continue;
      pool.settings.mistake("chain", i, "chain: " + quoted(pool.chain[i]) + " is in it twice");
    }
    check_replica_tls(pool, mistakes);
  }
}

void check_modules(const Model& model, Mistakes& mistakes) {
  Once names(mistakes);
  for (const ModuleModel& module : model.modules) {
    if (module.name.empty()) continue;
    if (!is_plain(module.name, "_-", kNameMax)) {
      mistakes.add(module.settings.position("name"),
                   "name: expected 1 to 64 letters, digits, \"_\", \"-\"");
    }
    names.see(module.name, module.settings.position("name"), "name: module " + quoted(module.name));
  }
}

}  // namespace

void check(const Model& model, Mistakes& mistakes) {
  check_listeners(model, mistakes);
  check_routes(model, mistakes);
  check_pools(model, mistakes);
  check_modules(model, mistakes);
}

}  // namespace limpet
