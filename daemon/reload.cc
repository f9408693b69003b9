// SPDX-License-Identifier: Apache-2.0
// What changes while the supervisor runs: the configuration, replica files, wishes of operators.
#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/change_text.h"
#include "daemon/config/dump.h"
#include "daemon/log_block.h"
#include "daemon/notify.h"
#include "daemon/signals.h"
#include "daemon/supervisor.h"

namespace limpet {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words)
    out += (out.empty() ? "" : ", ") + word;
  return out;
}

// The list behind `from` as the configuration has it, preset and default included.
std::string written_sources(const Config& config, const std::string& pool) {
  const std::string text = dump(config, "pool." + pool + ".affinity");
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view line = text::trim(text::cut(rest, '\n'));
    if (line.rfind("from = ", 0) != 0) continue;
    line.remove_prefix(7);
    return std::string(line.substr(0, line.rfind(']') + 1));
  }
  return {};
}

}  // namespace

void Supervisor::reload(Done done) {
  if (stage_ == Stage::kDraining || !configurations_.has_config()) {
    if (done) done({false, 0, "limpet is starting or going down; nothing was read"});
    return;
  }
  notify::reloading();
  reloaded_at_ = loop_.wall_now();
  Candidate next = configurations_.read(&discovery_);
  // As at the start: after a mistake the rest is tried all the same.
  if (next.config.is_whole()) {
    listeners_->open(next.config);
    open_access_log(next);
  }
  configurations_.build(next);
  if (next.snapshot == nullptr) return refuse(next, done);

  const std::vector<std::string> waiting =
      waits_for_restart(configurations_.model(), next.config.model());
  std::string change = describe_change({configurations_.config(), configurations_.lists()},
                                       {next.config, next.lists});
  if (!waiting.empty()) change += "; takes effect at the next start only: " + joined(waiting);
  if (!configurations_.wishes().affinity.empty()) {
    std::vector<std::string> pools;
    for (const auto& [pool, wish] : configurations_.wishes().affinity)
      pools.push_back(pool);
    log::info("the file decides on affinity again; what limpetctl switched is forgotten",
              {{"pools", joined(pools)}});
  }
  log::configure(static_cast<log::Level>(next.config.model().daemon.log_level),
                 next.config.model().daemon.log_format == LogFormat::kJson ? log::Format::kJson
                                                                           : log::Format::kText);
  can_rebuild_ = true;
  take_up(std::move(next), [this, change, done = std::move(done)] { report_reload(change, done); });
}

void Supervisor::refuse(const Candidate& candidate, const Done& done) {
  const Config& config = candidate.config;
  listeners_->abandon();
  if (candidate.access_log != nullptr) candidate.access_log->withdraw();
  is_last_reload_good_ = false;
  ++reloads_failed_;
  metrics_.counter("limpet_config_reloads_total", {{"result", "failure"}}).add();
  std::string text = config.mistakes().render();
  log_block(log::Level::kError, "reload refused; nothing was changed. The mistakes:", text);
  if (stage_ == Stage::kReady) {
    notify::ready("Reload refused: " + std::to_string(config.mistakes().size()) +
                  " mistake(s), see the log; " + status_line());
  }
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  if (done) done({false, configurations_.snapshot()->revision, std::move(text)});
}

void Supervisor::report_reload(const std::string& change, const Done& done) {
  is_last_reload_good_ = true;
  metrics_.counter("limpet_config_reloads_total", {{"result", "success"}}).add();
  const std::uint64_t revision = configurations_.snapshot()->revision;
  log::info("reloaded", {{"revision", std::to_string(revision)}, {"changed", change}});
  if (stage_ == Stage::kReady) notify::ready(status_line());
  if (done) done({true, revision, "changed: " + change});
}

void Supervisor::open_access_log(Candidate& candidate) {
  const AccessLogModel& wanted = candidate.config.model().access_log;
  const bool is_off = wanted.format == AccessLogFormat::kOff;
  const bool is_open = access_log_ != nullptr && wanted.path == access_log_path_;
  const ConfigReader table = candidate.config.root().table("access_log");
  if (is_off || is_open || candidate.config.mistakes().has_at(table.position("path"))) return;
  const SignalsBlocked blocked;  // the writer is a thread
  auto opened = LineWriter::open(wanted.path, workers_);
  if (!opened) return table.mistake("path", "path: " + opened.error().text);
  candidate.access_log = std::move(*opened);
}

void Supervisor::take_up(Candidate candidate, std::function<void()> adopted) {
  const AccessLogModel& wanted = candidate.config.model().access_log;
  if (wanted.format == AccessLogFormat::kOff) access_log_ = nullptr;
  if (candidate.access_log != nullptr) {
    access_log_ = candidate.access_log.get();
    access_log_path_ = wanted.path;
    access_logs_.push_back(std::move(candidate.access_log));
  }
  std::vector<DiscoveryPlace> places = candidate.places;
  configurations_.take_up(std::move(candidate));
  discovery_.adopt(std::move(places), configurations_.lists());
  hand_out(std::move(adopted));
}

// Gives the snapshot in force to the workers and to the prober.
void Supervisor::hand_out(std::function<void()> adopted) {
  const LineWriter* newest = access_logs_.empty() ? nullptr : access_logs_.back().get();
  crew_.adopt(configurations_.snapshot(), listeners_->commit(configurations_.model()), access_log_,
              [this, newest, in_use = access_log_, adopted = std::move(adopted)] {
                adopted_at_ = loop_.wall_now();
                retire_access_logs(newest, in_use);
                adopted();
              });
  prober_.adopt(configurations_.snapshot());
}

// All workers write to `in_use` now, or to none: what was opened before, up to `newest`, has nobody
// any more. What was opened since belongs to a configuration that is still on its way to them.
void Supervisor::retire_access_logs(const LineWriter* newest, const LineWriter* in_use) {
  const auto last = std::find_if(access_logs_.begin(), access_logs_.end(),
                                 [newest](const auto& log) { return log.get() == newest; });
  if (last == access_logs_.end()) return;
  const auto end = std::next(last);
  const auto retired = std::stable_partition(
      access_logs_.begin(), end, [in_use](const auto& log) { return log.get() == in_use; });
  for (auto log = retired; log != end; ++log)
    lines_dropped_ += (*log)->dropped();
  access_logs_.erase(retired, end);
}

bool Supervisor::rebuild(const Discovered& lists, std::string_view why,
                         std::function<void()> adopted) {
  const auto snapshot = configurations_.rebuild(lists);
  can_rebuild_ = snapshot != nullptr;
  if (snapshot == nullptr) return false;
  log::info("built again", {{"revision", std::to_string(snapshot->revision)}, {"why", why}});
  hand_out(std::move(adopted));
  return true;
}

void Supervisor::on_lists_changed() {
  if (stage_ == Stage::kDraining) return;
  Discovered lists = discovery_.lists();
  for (auto& [pool, list] : lists) {
    const PoolModel* model = find_pool(configurations_.model(), pool);
    const std::string twice = model == nullptr ? std::string() : named_twice(*model, list);
    if (twice.empty()) continue;
    log::error("the file of replicas is not taken up; its last good list stays in force",
               {{"pool", pool}, {"why", twice}});
    const auto before = configurations_.lists().find(pool);
    list = before == configurations_.lists().end() ? std::vector<ReplicaModel>{} : before->second;
  }
  static_cast<void>(rebuild(lists, "a file of replicas has changed", [] {}));
}

void Supervisor::set_affinity(const std::string& pool, RuntimeWishes::Affinity wish, Done done) {
  const std::uint64_t revision = configurations_.snapshot()->revision;
  const PoolModel* model = find_pool(configurations_.model(), pool);
  if (model == nullptr) return done({false, revision, "there is no pool \"" + pool + "\""});
  const bool has_module =
      std::find(model->chain.begin(), model->chain.end(), "affinity") != model->chain.end();
  if (!has_module) {
    return done({false, revision,
                 "the chain of pool \"" + pool + "\" has no module \"affinity\" to switch"});
  }
  RuntimeWishes& wishes = configurations_.wishes();
  const RuntimeWishes before = wishes;
  wishes.affinity[pool] = wish;
  const bool is_built = rebuild(configurations_.lists(), "affinity was switched", [this, done] {
    done({true, configurations_.snapshot()->revision, {}});
  });
  if (is_built) return;
  wishes = before;
  done({false, revision, "it could not be switched; the daemon's log says why"});
}

std::string Supervisor::affinity_toml(const std::string& pool, RuntimeWishes::Affinity wish) const {
  const std::string table = "[pool." + pool + ".affinity]\n";
  if (wish == RuntimeWishes::Affinity::kNone) return table + "from = []\n";
  const std::string list = written_sources(configurations_.config(), pool);
  if (!list.empty() && list != "[]") return table + "from = " + list + "\n";
  const PoolModel* model = find_pool(configurations_.model(), pool);
  const bool is_mcp = model != nullptr && model->preset == Preset::kMcp;
  return table + (is_mcp ? "from = [\"mcp\", \"cookie\"]\n" : "from = [\"cookie\"]\n");
}

std::string Supervisor::dump(std::string_view path) const {
  return limpet::dump(configurations_.config(), path);
}

}  // namespace limpet
