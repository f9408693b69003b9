// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/control.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/control/standing.h"
#include "daemon/control/views.h"

namespace limpet::control {

namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

constexpr std::uint64_t kWaitSecondsMax = 24ULL * 3600;

Response json(std::uint16_t status, const Json& view) {
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = view.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return response;
}

Response shown(std::string body) {
  Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

Response refused(std::uint16_t status, const std::string& text) {
  return json(status, {{"error", text}});
}

std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string with_nearest(const std::string& text, const std::string& word,
                         const Words& candidates) {
  const std::string_view near = text::nearest(word, candidates);
  if (!near.empty()) return text + "; did you mean " + quoted(std::string(near)) + "?";
  std::string all;
  for (const std::string& candidate : candidates)
    all += (all.empty() ? "" : ", ") + candidate;
  return text + (all.empty() ? std::string() : "; there are: " + all);
}

Words pool_names(const Snapshot& snapshot) {
  Words names;
  for (const auto& pool : snapshot.pools)
    names.push_back(pool->facts.name);
  return names;
}

Words replica_ids(const Snapshot& snapshot, const PoolPlan* pool) {
  Words ids;
  for (const auto& plan : snapshot.pools) {
    if (pool != nullptr && plan.get() != pool) continue;
    for (const Replica& replica : plan->facts.replicas) {
      if (std::find(ids.begin(), ids.end(), replica.id) == ids.end()) ids.push_back(replica.id);
    }
  }
  return ids;
}

std::string no_such_pool(const Snapshot& snapshot, const std::string& name) {
  return with_nearest("there is no pool " + quoted(name), name, pool_names(snapshot));
}

/// A replica by its name, in each pool that has it, or why not.
struct Found {
  std::vector<std::pair<const PoolPlan*, const Replica*>> places;
  std::string error;
};

std::string which_one(const Found& found, const std::string& id) {
  std::string text = "several pools have a replica " + quoted(id) + " at different addresses; say";
  for (const auto& [pool, replica] : found.places)
    text += " --pool " + pool->facts.name + " or";
  return text.substr(0, text.size() - 3);
}

// One server may serve several pools: without a pool all of them are meant. Servers that only share
// a name are not guessed at.
Found find_replica(const Snapshot& snapshot, const std::string& pool, const std::string& id) {
  Found found;
  const PoolPlan* only = pool == "-" ? nullptr : snapshot.find_pool(pool);
  if (pool != "-" && only == nullptr) return {{}, no_such_pool(snapshot, pool)};
  for (const auto& plan : snapshot.pools) {
    if (only != nullptr && plan.get() != only) continue;
    const Replica* replica = plan->facts.find(id);
    if (replica != nullptr) found.places.emplace_back(plan.get(), replica);
  }
  if (found.places.empty()) {
    const std::string text = "there is no replica " + quoted(id) +
                             (only == nullptr ? std::string() : " in pool " + quoted(pool));
    return {{}, with_nearest(text, id, replica_ids(snapshot, only))};
  }
  for (const auto& [plan, replica] : found.places) {
    if (replica->address == found.places.front().second->address) continue;
    return {{}, which_one(found, id)};
  }
  return found;
}

Json replica_answers(const Found& found, const Process& process) {
  Json answers = Json::array();
  for (const auto& [pool, replica] : found.places) {
    const ReplicaStanding standing = standing_of(*replica, process.now(), process.wall_now());
    answers.push_back({{"pool", pool->facts.name},
                       {"id", replica->id},
                       {"state", kStates[static_cast<std::size_t>(standing.admin)]},
                       {"in_flight", standing.in_flight},
                       {"sessions", standing.sessions}});
  }
  return answers;
}

// Sessions of a replica that is down go elsewhere: only what runs is waited for.
bool has_nothing_left(const Json& answers) {
  return std::all_of(answers.begin(), answers.end(), [](const Json& answer) {
    return answer["in_flight"] == 0 && (answer["sessions"] == 0 || answer["state"] == "down");
  });
}

std::vector<gid_t> groups_of(int descriptor) {
  std::vector<gid_t> groups(64);
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int done = ::getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
    groups.resize(bytes / sizeof(gid_t));
    if (done == 0) return groups;
  }
  return {};
}

}  // namespace

bool is_admitted(int descriptor, const std::string& path) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return false;
  if (peer.gid == facts.st_gid) return true;
  const std::vector<gid_t> groups = groups_of(descriptor);
  return std::find(groups.begin(), groups.end(), facts.st_gid) != groups.end();
}

Control::Control(Loop& loop, Process& process)
    : process_(process), service_(loop, [this](const Request& request, const Reply& reply) {
        if (may_enter(request.descriptor)) return answer(request, reply);
        reply(refused(403,
                      "only root, the daemon's user and members of the group of the control "
                      "socket may use it"));
      }) {}

void Control::listen(Fd listening, const std::string& path) {
  path_ = path;
  service_.listen(std::move(listening));
}

void Control::close() {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

bool Control::may_enter(int descriptor) const { return is_admitted(descriptor, path_); }

void Control::answer(const Request& request, const Reply& reply) {
  const Words words = path_segments(request.path);
  if (words.size() < 2 || words[0] != "v1") return reply(refused(404, "there is no such verb"));
  if (process_.snapshot() == nullptr) return reply(refused(503, "limpet is starting"));
  if (request.method == "GET") return show(words, request, reply);
  if (request.method == "POST") return act(words, request, reply);
  reply(refused(405, "the control socket knows GET and POST"));
}

void Control::show(const Words& words, const Request& request, const Reply& reply) {
  const std::string& what = words[1];
  const std::string pool = query_value(request.query, "pool");
  if (!pool.empty() && process_.snapshot()->find_pool(pool) == nullptr) {
    return reply(refused(404, no_such_pool(*process_.snapshot(), pool)));
  }
  if (what == "status") return reply(shown(status_json(process_)));
  if (what == "pools") return reply(shown(pools_json(process_)));
  if (what == "replicas") return reply(shown(replicas_json(process_, pool)));
  if (what != "config") return reply(refused(404, "there is no such view"));
  const std::string path = query_value(request.query, "path");
  const std::string toml = process_.dump(path);
  if (toml.empty()) {
    return reply(refused(404, "the configuration has nothing at " + quoted(path) +
                                  "; paths look like pool.web.affinity or limits"));
  }
  reply(json(200, {{"path", path}, {"toml", toml}}));
}

void Control::act(const Words& words, const Request& request, const Reply& reply) {
  if (words[1] == "reload" && words.size() == 2) return reload(reply);
  if (words[1] == "explain" && words.size() == 2) return explain(request, reply);
  if (words[1] == "replicas" && words.size() == 5) return set_state(words, request, reply);
  if (words[1] == "pools" && words.size() == 5 && words[3] == "affinity") {
    return set_affinity(words, reply);
  }
  reply(refused(404, "there is no such verb"));
}

void Control::set_state(const Words& words, const Request& request, const Reply& reply) {
  const auto state = std::find(kStates.begin(), kStates.end(), words[4]);
  if (state == kStates.end()) {
    return reply(
        refused(404, "a replica can be made ready, drain or down, not " + quoted(words[4])));
  }
  const Found found = find_replica(*process_.snapshot(), words[2], words[3]);
  if (found.places.empty()) return reply(refused(404, found.error));
  const auto admin = static_cast<AdminState>(state - kStates.begin());
  for (const auto& [pool, replica] : found.places) {
    replica->vitals->admin.store(admin, std::memory_order_relaxed);
    log::info("replica is set by hand",
              {{"pool", pool->facts.name}, {"replica", replica->id}, {"state", *state}});
  }
  process_.wake_workers();
  const Json answers = replica_answers(found, process_);
  const auto wait = text::parse_unsigned(query_value(request.query, "wait_seconds"));
  const bool waits = wait && admin != AdminState::kReady;
  if (!waits) return reply(json(200, {{"replicas", answers}}));
  if (has_nothing_left(answers)) {
    return reply(json(200, {{"replicas", answers}, {"drained", true}}));
  }
  const auto at_most = std::chrono::seconds(std::min(*wait, kWaitSecondsMax));
  waiters_.push_back({words[2], words[3], process_.now() + at_most, reply, request.is_gone});
}

// A replica that is not there any more has departed, drained.
void Control::tick() {
  std::vector<Waiter> waiting;
  waiting.swap(waiters_);
  for (Waiter& waiter : waiting) {
    if (waiter.is_gone && waiter.is_gone()) continue;
    const Found found = find_replica(*process_.snapshot(), waiter.pool, waiter.id);
    const Json answers = replica_answers(found, process_);
    const bool is_drained = has_nothing_left(answers);
    if (!is_drained && process_.now() < waiter.until) {
      waiters_.push_back(std::move(waiter));
      continue;
    }
    waiter.reply(json(200, {{"replicas", answers}, {"drained", is_drained}}));
  }
}

void Control::set_affinity(const Words& words, const Reply& reply) {
  const std::string& pool = words[2];
  const bool is_sticky = words[4] == "sticky";
  if (!is_sticky && words[4] != "none") {
    return reply(refused(404, "affinity is sticky or none, not " + quoted(words[4])));
  }
  if (process_.snapshot()->find_pool(pool) == nullptr) {
    return reply(refused(404, no_such_pool(*process_.snapshot(), pool)));
  }
  const auto wish = is_sticky ? RuntimeWishes::Affinity::kSticky : RuntimeWishes::Affinity::kNone;
  process_.set_affinity(pool, wish, [this, reply, pool, wish](const Outcome& outcome) {
    if (!outcome.is_good) return reply(refused(409, outcome.text));
    reply(json(200, {{"pool", pool},
                     {"affinity", wish == RuntimeWishes::Affinity::kSticky ? "sticky" : "none"},
                     {"revision", outcome.revision},
                     {"toml", process_.affinity_toml(pool, wish)}}));
  });
}

void Control::reload(const Reply& reply) {
  process_.reload([reply](const Outcome& outcome) {
    if (!outcome.is_good) return reply(refused(422, outcome.text));
    reply(json(200, {{"revision", outcome.revision}, {"text", outcome.text}}));
  });
}

void Control::explain(const Request& request, const Reply& reply) {
  const Json asked = Json::parse(request.body, nullptr, false);
  if (!asked.is_object()) return reply(refused(400, "expected a JSON object"));
  const auto text_of = [&asked](const char* key) {
    const auto at = asked.find(key);
    return at != asked.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const std::string kind = text_of("kind");
  const std::string name = text_of("name");
  std::string value = text_of("value");
  const std::string pool = text_of("pool");
  const auto snapshot = process_.snapshot();
  if (!pool.empty() && snapshot->find_pool(pool) == nullptr) {
    return reply(refused(404, no_such_pool(*snapshot, pool)));
  }
  constexpr std::array<std::string_view, 6> kKinds = {"cookie",  "header",    "query",
                                                      "session", "principal", "client-ip"};
  if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
    return reply(
        refused(400, "kind: expected cookie, header, query, session, principal or client-ip"));
  }
  // As a request has it, however it is written here.
  if (kind == "client-ip") {
    const auto address = Address::parse_ip(value);
    if (!address) return reply(refused(400, "client-ip: " + address.error().text));
    value = address->unmapped().print_host();
  }
  Json answers = Json::array();
  for (const auto& plan : snapshot->pools) {
    if (!pool.empty() && plan->facts.name != pool) continue;
    ExplainAnswer answer;
    for (const ChainLink& link : plan->chain) {
      if (answer.is_answered) break;
      link.plan->explain({kind, name, value, process_.wall_now()}, plan->facts, answer);
    }
    answers.push_back({{"pool", plan->facts.name},
                       {"answered", answer.is_answered},
                       {"rule", answer.rule},
                       {"verdict", answer.verdict},
                       {"replica", answer.replica},
                       {"notes", answer.notes}});
  }
  reply(json(200, {{"kind", kind}, {"name", name}, {"answers", answers}}));
}

}  // namespace limpet::control
