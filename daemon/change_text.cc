// SPDX-License-Identifier: Apache-2.0
#include "daemon/change_text.h"

#include <map>
#include <string_view>

#include "daemon/base/text.h"
#include "daemon/config/dump.h"

namespace limpet {

namespace {

constexpr std::size_t kNamesShown = 8;

/// Things by name, each with everything that makes it what it is.
using Things = std::map<std::string, std::string>;

std::string print(const ReplicaModel& replica) {
  return replica.address.print() + ' ' + std::to_string(replica.weight) + ' ' + replica.revision +
         ' ' + (replica.backup ? "backup" : "") +
         std::to_string(static_cast<unsigned>(replica.state));
}

Things replicas_of(const ConfigView& view) {
  Things things;
  for (const PoolModel& pool : view.config.model().pools) {
    for (const ReplicaModel& replica : pool.replicas) {
      things[pool.name + '/' + replica.id] = print(replica);
    }
    const auto listed = view.lists.find(pool.name);
    if (listed == view.lists.end()) continue;
    for (const ReplicaModel& replica : listed->second) {
      things[pool.name + '/' + replica.id] = print(replica);
    }
  }
  return things;
}

// A pool's settings as TOML, without its replicas, which are told apart.
std::string settings_of(const Config& config, const std::string& pool) {
  const std::string whole = dump(config, "pool." + pool);
  std::string kept;
  bool is_replica = false;
  std::string_view rest = whole;
  while (!rest.empty()) {
    const std::string_view line = text::cut(rest, '\n');
    const std::string_view start = text::trim(line);
    if (start.rfind("[", 0) == 0) is_replica = start.rfind("[[", 0) == 0;
    if (is_replica || start.rfind("replicas = ", 0) == 0) continue;
    kept.append(line).push_back('\n');
  }
  return kept;
}

Things pools_of(const ConfigView& view) {
  Things things;
  for (const PoolModel& pool : view.config.model().pools) {
    things[pool.name] = settings_of(view.config, pool.name);
  }
  return things;
}

Things routes_of(const ConfigView& view) {
  Things things;
  for (const RouteModel& route : view.config.model().routes) {
    std::string target = route.pool;
    if (route.redirect)
      target += "> " + route.redirect->to + std::to_string(route.redirect->status);
    if (route.respond) target += "= " + std::to_string(route.respond->status) + route.respond->body;
    things[route.host + route.path] = target;
  }
  return things;
}

Things listeners_of(const ConfigView& view) {
  Things things;
  for (const ListenerModel& listener : view.config.model().listeners) {
    // Without its name, whose default is its place.
    const std::string whole = dump(view.config, listener.settings.path());
    std::string& facts = things[listener.name];
    std::string_view rest = whole;
    while (!rest.empty()) {
      const std::string_view line = text::cut(rest, '\n');
      if (!line.starts_with("name = ")) facts.append(line).push_back('\n');
    }
  }
  return things;
}

void tell(std::string& out, std::string_view verb, const std::vector<std::string>& names) {
  if (names.empty()) return;
  out += (out.empty() ? "" : ", ") + std::to_string(names.size()) + ' ' + std::string(verb) + " (";
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
    out += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kNamesShown) {
    out += " and " + std::to_string(names.size() - kNamesShown) + " more";
  }
  out += ')';
}

void compare(std::string& out, std::string_view what, const Things& before, const Things& after) {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;
  for (const auto& [name, facts] : after) {
    const auto at = before.find(name);
    if (at == before.end()) {
      added.push_back(name);
    } else if (at->second != facts) {
      changed.push_back(name);
    }
  }
  for (const auto& [name, facts] : before) {
    if (!after.contains(name)) removed.push_back(name);
  }
  std::string told;
  tell(told, "added", added);
  tell(told, "removed", removed);
  tell(told, "changed", changed);
  if (told.empty()) return;
  out += (out.empty() ? "" : "; ") + std::string(what) + ": " + told;
}

}  // namespace

std::string describe_change(const ConfigView& before, const ConfigView& after) {
  std::string out;
  compare(out, "listeners", listeners_of(before), listeners_of(after));
  compare(out, "routes", routes_of(before), routes_of(after));
  compare(out, "pools", pools_of(before), pools_of(after));
  compare(out, "replicas", replicas_of(before), replicas_of(after));
  for (const char* table : {"limits", "timeouts", "access_log", "keys", "daemon", "admin"}) {
    if (dump(before.config, table) == dump(after.config, table)) continue;
    out += (out.empty() ? "" : "; ") + ('[' + std::string(table) + "] changed");
  }
  return out.empty() ? "nothing" : out;
}

std::vector<std::string> waits_for_restart(const Model& before, const Model& after) {
  std::vector<std::string> keys;
  const auto note = [&keys](bool is_other, const char* key) {
    if (is_other) keys.emplace_back(key);
  };
  note(before.daemon.workers != after.daemon.workers, "daemon.workers");
  note(before.daemon.pin != after.daemon.pin, "daemon.pin");
  note(before.daemon.user != after.daemon.user, "daemon.user");
  note(before.daemon.state_dir != after.daemon.state_dir, "daemon.state_dir");
  note(!(before.admin.bind == after.admin.bind), "admin.bind");
  note(before.admin.socket != after.admin.socket, "admin.socket");
  note(before.limits.connections != after.limits.connections, "limits.connections");
  return keys;
}

}  // namespace limpet
