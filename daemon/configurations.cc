// SPDX-License-Identifier: Apache-2.0
#include "daemon/configurations.h"

#include <utility>

#include "daemon/base/text.h"
#include "daemon/log_block.h"

namespace limpet {

namespace {

WallSeconds wall_seconds() {
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Of each rendered mistake the line that says where and what; the others quote the file.
void report_list(Config& config, const DiscoveryPlace& place, std::string_view rendered) {
  while (!rendered.empty()) {
    const std::string_view line = text::cut(rendered, '\n');
    if (!line.starts_with(place.path + ":") || line.find(": error: ") == line.npos) continue;
    config.mistake(place.where, "discovery: " + std::string(line));
  }
}

void read_list(Candidate& candidate, const DiscoveryPlace& place, const DiscoveryFiles* in_force) {
  ReplicaList list = read_replica_file(place);
  const PoolModel* pool = find_pool(candidate.config.model(), place.pool);
  if (list.mistakes.empty() && pool != nullptr) {
    const std::string twice = named_twice(*pool, list.replicas);
    if (!twice.empty()) list.mistakes = place.path + ": error: " + twice;
  }
  if (list.mistakes.empty()) {
    candidate.lists[place.pool] = std::move(list.replicas);
    return;
  }
  const auto* last_good = in_force == nullptr ? nullptr : in_force->last_good(place);
  if (last_good == nullptr) {
    return report_list(candidate.config, place, list.mistakes);
  }
  log_block(log::Level::kWarning,
            "pool " + place.pool + ": " + place.path +
                " is not taken up; its last good list stays in force",
            list.mistakes);
  candidate.lists[place.pool] = *last_good;
}

}  // namespace

const PoolModel* find_pool(const Model& model, const std::string& name) {
  for (const PoolModel& pool : model.pools) {
    if (pool.name == name) return &pool;
  }
  return nullptr;
}

std::string named_twice(const PoolModel& pool, const std::vector<ReplicaModel>& list) {
  for (const ReplicaModel& listed : list) {
    for (const ReplicaModel& fixed : pool.replicas) {
      if (listed.id != fixed.id && !(listed.address == fixed.address)) continue;
      return "replica \"" + listed.id + "\" (" + listed.address.print() +
             ") is in the configuration already, as \"" + fixed.id + "\"";
    }
  }
  return {};
}

Configurations::Configurations(ConfigOrigin origin, std::span<const ModuleKind> kinds)
    : origin_(std::move(origin)), kinds_(kinds), book_(std::make_unique<ReplicaBook>(1)) {}

Candidate Configurations::read(const DiscoveryFiles* in_force) const {
  Candidate candidate{origin_.text.empty() ? Config::load_file(origin_.file)
                                           : Config::from_text(origin_.text, origin_.file),
                      {},
                      {},
                      nullptr,
                      nullptr};
  candidate.places = discovery_places(candidate.config.model(), origin_.file);
  for (const DiscoveryPlace& place : candidate.places)
    read_list(candidate, place, in_force);
  return candidate;
}

std::shared_ptr<const Snapshot> Configurations::build(Candidate& candidate, const Discovered& lists,
                                                      const RuntimeWishes& wishes,
                                                      Purpose purpose) {
  // A configuration that is built again uses the certificates that it has.
  shelf_.begin_round(purpose == Purpose::kServeAgain ? TlsShelf::Round::kSame
                                                     : TlsShelf::Round::kFresh);
  const SnapshotContext context{kinds_,          *book_,         shelf_,
                                revision_ + 1,   wishes,         lists,
                                monotonic_now(), wall_seconds(), purpose == Purpose::kTrial};
  auto snapshot = build_snapshot(candidate.config, context);
  if (snapshot != nullptr) ++revision_;
  return snapshot;
}

void Configurations::build(Candidate& candidate) {
  candidate.snapshot = build(candidate, candidate.lists, RuntimeWishes{}, Purpose::kServe);
}

void Configurations::try_out(Candidate& candidate) {
  candidate.snapshot = build(candidate, candidate.lists, RuntimeWishes{}, Purpose::kTrial);
}

void Configurations::take_up(Candidate candidate) {
  snapshot_ = candidate.snapshot;
  lists_ = candidate.lists;
  wishes_ = {};
  present_ = std::make_unique<Candidate>(std::move(candidate));
}

std::shared_ptr<const Snapshot> Configurations::rebuild(const Discovered& lists) {
  auto snapshot = build(*present_, lists, wishes_, Purpose::kServeAgain);
  if (snapshot == nullptr) {
    log_block(log::Level::kError,
              "the configuration in force could not be built again; it stays as it is until the "
              "next reload",
              present_->config.mistakes().render());
    return nullptr;
  }
  snapshot_ = snapshot;
  lists_ = lists;
  return snapshot;
}

SavedReplicas Configurations::to_save() const {
  return book_->to_save(monotonic_now(), wall_seconds());
}

bool Configurations::has_departed() const {
  return book_->has_departed(monotonic_now(), wall_seconds());
}

}  // namespace limpet
