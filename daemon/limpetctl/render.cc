// SPDX-License-Identifier: Apache-2.0
#include "daemon/limpetctl/render.h"

#include <cstdint>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "daemon/limpetctl/table.h"

namespace limpet::ctl {

namespace {

using Json = nlohmann::ordered_json;

// Answers come from the daemon of this release; what is missing reads as nothing rather than
// throws.
std::string text_of(const Json& from, const char* key) {
  const auto at = from.find(key);
  return at != from.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& from, const char* key) {
  const auto at = from.find(key);
  return at != from.end() && at->is_number() ? at->get<std::uint64_t>() : 0;
}

std::string digits_of(const Json& from, const char* key) {
  return std::to_string(number_of(from, key));
}

bool flag_of(const Json& from, const char* key) {
  const auto at = from.find(key);
  return at != from.end() && at->is_boolean() && at->get<bool>();
}

Json list_of(const Json& from, const char* key) {
  const auto at = from.find(key);
  return at != from.end() ? *at : Json::array();
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string counts_of(const Json& from, const char* key) {
  std::string out;
  const Json counts = list_of(from, key);
  for (const auto& [name, count] : counts.items()) {
    if (!count.is_number()) continue;
    out += (out.empty() ? "" : ", ") + name + " " + std::to_string(count.get<std::uint64_t>());
  }
  return out;
}

std::string span_of(std::uint64_t seconds) {
  const auto part = [](std::uint64_t n, const char* unit) { return std::to_string(n) + unit; };
  if (seconds >= 86400) return part(seconds / 86400, "d ") + part(seconds / 3600 % 24, "h");
  if (seconds >= 3600) return part(seconds / 3600, "h ") + part(seconds / 60 % 60, "m");
  if (seconds >= 60) return part(seconds / 60, "m ") + part(seconds % 60, "s");
  return part(seconds, "s");
}

std::string milliseconds_of(const Json& from, const char* key) {
  const auto at = from.find(key);
  const double value = at != from.end() && at->is_number() ? at->get<double>() : 0;
  if (value <= 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", value);
  return text;
}

std::string render_pools(const Json& pools) {
  Table table(
      {"POOL", "UP", "AFFINITY", ">SESSIONS", ">IN FLIGHT", ">QUEUED", ">REQUESTS", "OUTCOMES"});
  for (const Json& pool : pools) {
    std::string outcomes = counts_of(pool, "outcomes");
    const std::string causes = counts_of(pool, "causes");
    if (!causes.empty()) outcomes += " (" + causes + ")";
    table.add({text_of(pool, "name"),
               digits_of(pool, "replicas_up") + " of " + digits_of(pool, "replicas_total"),
               flag_of(pool, "affinity") ? "sticky" : "none", digits_of(pool, "sessions"),
               digits_of(pool, "in_flight"), digits_of(pool, "queued"), digits_of(pool, "requests"),
               or_dash(outcomes)});
  }
  return table.print();
}

std::string health_of(const Json& replica) {
  const std::string health = text_of(replica, "health");
  const std::uint64_t left = number_of(replica, "ejected_seconds");
  return left > 0 ? health + " " + std::to_string(left) + "s" : health;
}

std::string render_replicas(const Json& replicas) {
  Table table({"POOL", "ID", "STATE", "HEALTH", ">SESSIONS", ">IN FLIGHT", ">QUEUED", ">LATENCY",
               ">WEIGHT", "REVISION", "ADDRESS"});
  for (const Json& replica : replicas) {
    table.add({text_of(replica, "pool"),
               text_of(replica, "id") + (flag_of(replica, "backup") ? " (backup)" : ""),
               text_of(replica, "state"), health_of(replica), digits_of(replica, "sessions"),
               digits_of(replica, "in_flight"), digits_of(replica, "queued"),
               milliseconds_of(replica, "latency_ms"), digits_of(replica, "weight"),
               or_dash(text_of(replica, "revision")), text_of(replica, "address")});
  }
  return table.print();
}

std::string render_status(const Json& status) {
  const Json reload = status.contains("last_reload") ? status["last_reload"] : Json::object();
  std::string workers;
  for (const Json& worker : list_of(status, "workers")) {
    const auto busy = worker.find("busy_percent");
    char text[16];
    std::snprintf(text, sizeof text, "%.0f %%",
                  busy != worker.end() && busy->is_number() ? busy->get<double>() : 0.0);
    workers += (workers.empty() ? "" : ", ") + std::string(text);
  }
  std::string out = "limpetd " + text_of(status, "version") + ", " + text_of(status, "stage") +
                    ", process " + digits_of(status, "pid") + ", up " +
                    span_of(number_of(status, "uptime_seconds")) + "\n";
  out += "configuration  " + text_of(status, "config") + ", revision " +
         digits_of(status, "revision") + ", in force since " + text_of(status, "in_force_since") +
         "\n";
  out += "last reload    " +
         std::string(flag_of(reload, "good") ? "good" : "REFUSED, see the daemon's log") + ", " +
         text_of(reload, "at") + "\n";
  out += "connections    " + digits_of(status, "connections") + "\n";
  out += "workers        " + std::to_string(list_of(status, "workers").size()) + ", busy " +
         or_dash(workers) + "\n";
  if (number_of(status, "access_log_dropped") > 0) {
    out += "access log     " + digits_of(status, "access_log_dropped") + " lines dropped\n";
  }
  return out + "\n" + render_pools(list_of(status, "pools"));
}

Rendered render_replica(const Command& command, const Json& answer) {
  Rendered rendered;
  for (const Json& replica : list_of(answer, "replicas")) {
    rendered.text += text_of(replica, "pool") + "/" + text_of(replica, "id") + ": " +
                     text_of(replica, "state") + "; on it: " + digits_of(replica, "sessions") +
                     " sessions, " + digits_of(replica, "in_flight") + " requests in flight\n";
  }
  if (!command.wait || !answer.contains("drained")) return rendered;
  rendered.is_whole = flag_of(answer, "drained");
  rendered.text += rendered.is_whole ? "drained\n" : "not drained in time\n";
  return rendered;
}

std::string render_affinity(const Json& answer) {
  return "affinity of pool " + text_of(answer, "pool") + " is " + text_of(answer, "affinity") +
         " now, until the next reload or restart (revision " + digits_of(answer, "revision") +
         ").\nTo make it last, write into the configuration:\n\n" + text_of(answer, "toml");
}

Rendered render_explanation(const Json& answer) {
  Rendered rendered;
  rendered.is_whole = false;
  std::string silent;
  for (const Json& entry : list_of(answer, "answers")) {
    if (!flag_of(entry, "answered")) {
      silent += (silent.empty() ? "" : ", ") + text_of(entry, "pool");
      continue;
    }
    rendered.is_whole = true;
    const std::string replica = text_of(entry, "replica");
    rendered.text += "pool " + text_of(entry, "pool") + ": " + text_of(entry, "verdict") +
                     (replica.empty() ? "" : ", replica " + replica) +
                     " (rule: " + or_dash(text_of(entry, "rule")) + ")\n";
    for (const Json& note : list_of(entry, "notes")) {
      if (note.is_string()) rendered.text += "  " + note.get<std::string>() + "\n";
    }
  }
  if (!silent.empty()) {
    rendered.text +=
        "no rule of affinity takes a " + text_of(answer, "kind") + " in: " + silent + "\n";
  }
  return rendered;
}

}  // namespace

std::string question_body(const Command& command) {
  if (command.verb != Verb::kExplain) return {};
  const Json body = {{"kind", command.kind},
                     {"name", command.name},
                     {"value", command.value},
                     {"pool", command.pool}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Rendered render(const Command& command, const std::string& body) {
  const Json answer = Json::parse(body, nullptr, false);
  if (!answer.is_object()) return {"the daemon's answer cannot be read:\n" + body, false};
  switch (command.verb) {
    case Verb::kStatus:
      return {render_status(answer)};
    case Verb::kPools:
      return {render_pools(list_of(answer, "pools"))};
    case Verb::kReplicas:
      return {render_replicas(list_of(answer, "replicas"))};
    case Verb::kReplica:
      return render_replica(command, answer);
    case Verb::kAffinity:
      return {render_affinity(answer)};
    case Verb::kShowConfig:
      return {text_of(answer, "toml")};
    case Verb::kReload:
      return {"reloaded, revision " + digits_of(answer, "revision") + "; " +
              text_of(answer, "text") + "\n"};
    case Verb::kExplain:
      return render_explanation(answer);
  }
  return {body};
}

std::string refusal_text(const std::string& body) {
  const Json answer = Json::parse(body, nullptr, false);
  const std::string text = answer.is_object() ? text_of(answer, "error") : std::string();
  return text.empty() ? body : text;
}

}  // namespace limpet::ctl
