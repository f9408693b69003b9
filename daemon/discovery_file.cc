// SPDX-License-Identifier: Apache-2.0
#include "daemon/discovery_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <sys/inotify.h>
#include <sys/stat.h>

#include "daemon/base/log.h"
#include "daemon/log_block.h"

namespace limpet {

namespace {

// A writer that replaces several files, or writes one in pieces, is let finish.
constexpr std::chrono::milliseconds kSettle{50};

constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;

bool is_same(const ReplicaModel& a, const ReplicaModel& b) {
  return a.id == b.id && a.address == b.address && a.weight == b.weight &&
         a.revision == b.revision && a.backup == b.backup && a.state == b.state;
}

bool are_same(const std::vector<ReplicaModel>& a, const std::vector<ReplicaModel>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), is_same);
}

}  // namespace

std::vector<DiscoveryPlace> discovery_places(const Model& model, const std::string& config_file) {
  std::vector<DiscoveryPlace> places;
  for (const PoolModel& pool : model.pools) {
    if (pool.discovery.type != DiscoveryType::kFile || pool.discovery.path.empty()) continue;
    std::error_code ignored;
    const std::filesystem::path whole =
        std::filesystem::path(config_file).parent_path() / pool.discovery.path;
    places.push_back({pool.name, std::filesystem::absolute(whole, ignored).string(),
                      pool.discovery.settings.position("path")});
  }
  return places;
}

ReplicaList read_replica_file(const DiscoveryPlace& place) {
  errno = 0;
  std::ifstream in(place.path, std::ios::binary);
  const int reason = errno;
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad() || !in.is_open()) {
    return {{},
            place.path + ": error: the file of replicas cannot be read: " +
                std::strerror(reason == 0 ? EIO : reason) + "\n"};
  }
  return parse_replica_list(text, place.path, place.where);
}

bool DiscoveryFiles::Stamp::operator==(const Stamp& other) const noexcept {
  return inode == other.inode && size_bytes == other.size_bytes &&
         changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
}

DiscoveryFiles::Stamp DiscoveryFiles::stamp_of(const std::string& path) noexcept {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return {};
  return {facts.st_ino, facts.st_size, facts.st_mtim};
}

DiscoveryFiles::DiscoveryFiles(Loop& loop, std::function<void()> on_change)
    : loop_(loop), on_change_(std::move(on_change)), watch_(*this), settle_(*this) {}

void DiscoveryFiles::adopt(std::vector<DiscoveryPlace> places, Discovered lists) {
  std::map<std::string, Stamp> known;
  for (const Watched& watched : watched_)
    known[watched.place.path] = watched.stamp;
  watched_.clear();
  lists_ = std::move(lists);
  for (DiscoveryPlace& place : places) {
    // The list may be older than the file: one look more finds what changed in between.
    const auto at = known.find(place.path);
    watched_.push_back({std::move(place), at == known.end() ? Stamp{} : at->second});
  }
  watch_folders();
  if (!watched_.empty()) settle_.arm(loop_.timers(), monotonic_now() + kSettle);
}

const std::vector<ReplicaModel>* DiscoveryFiles::last_good(const DiscoveryPlace& place) const {
  for (const Watched& watched : watched_) {
    if (watched.place.pool != place.pool || watched.place.path != place.path) continue;
    const auto at = lists_.find(place.pool);
    return at == lists_.end() ? nullptr : &at->second;
  }
  return nullptr;
}

// Folders, not files: a file that is replaced by rename would take its watch along.
void DiscoveryFiles::watch_folders() {
  watch_.stop();
  inotify_.reset();
  if (watched_.empty()) return;
  inotify_ = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_.is_open()) return;  // look() finds changes once a second
  std::set<std::string> folders;
  for (const Watched& watched : watched_) {
    folders.insert(std::filesystem::path(watched.place.path).parent_path().string());
  }
  for (const std::string& folder : folders) {
    if (::inotify_add_watch(inotify_.number(), folder.c_str(), kEvents) >= 0) continue;
    log::debug("the folder of a replica file cannot be watched; it is looked at once a second",
               {{"folder", folder}});
  }
  watch_.start(loop_, inotify_.number(), Watch::Trigger::kLevelRead);
}

void DiscoveryFiles::on_ready(Readiness) {
  alignas(inotify_event) char events[4096];
  while (::read(inotify_.number(), events, sizeof events) > 0) {
  }
  settle_.arm(loop_.timers(), monotonic_now() + kSettle);
}

void DiscoveryFiles::look() {
  bool has_changed = false;
  for (Watched& watched : watched_)
    has_changed |= read_again(watched);
  if (has_changed) on_change_();
}

// Whether the list of the file is a new one.
bool DiscoveryFiles::read_again(Watched& watched) {
  const Stamp stamp = stamp_of(watched.place.path);
  if (stamp == watched.stamp) return false;
  watched.stamp = stamp;
  const DiscoveryPlace& place = watched.place;
  ReplicaList list = read_replica_file(place);
  if (!list.mistakes.empty()) {
    log_block(log::Level::kError,
              "pool " + place.pool + ": " + place.path +
                  " is not taken up; its last good list stays in force",
              list.mistakes);
    return false;
  }
  std::vector<ReplicaModel>& present = lists_[place.pool];
  if (are_same(present, list.replicas)) return false;
  log::info("the file of replicas has changed",
            {{"pool", place.pool},
             {"file", place.path},
             {"replicas", std::to_string(list.replicas.size())}});
  present = std::move(list.replicas);
  return true;
}

}  // namespace limpet
