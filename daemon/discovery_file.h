// SPDX-License-Identifier: Apache-2.0
#pragma once
// DiscoveryFiles: the replica files of pools with discovery.type = "file": read, watched, read
// again when they change or are replaced. A bad file keeps the last good list. Neighbours:
// replica_list.h reads the text; the supervisor builds a snapshot of what is found.

#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/base/fd.h"
#include "daemon/config/model.h"
#include "daemon/event/loop.h"
#include "daemon/event/timer.h"
#include "daemon/event/watch.h"
#include "daemon/replica_list.h"

namespace limpet {

/// Replicas of pools, by pool.
using Discovered = std::map<std::string, std::vector<ReplicaModel>>;

/// One pool's file.
struct DiscoveryPlace {
  std::string pool;
  std::string path;  ///< absolute
  Position where;    ///< in the configuration
};
/// The files that a configuration names; relative ones are taken from the folder of `config_file`.
[[nodiscard]] std::vector<DiscoveryPlace> discovery_places(const Model& model,
                                                           const std::string& config_file);
/// Reads one file. An unreadable one is a list with a mistake.
[[nodiscard]] ReplicaList read_replica_file(const DiscoveryPlace& place);

/// The files in force, watched.
/// Thread: main.
class DiscoveryFiles final : private Watch::Owner, private Timer::Owner {
 public:
  /// `on_change` is called in a turn of the loop after some list has changed.
  DiscoveryFiles(Loop& loop, std::function<void()> on_change);

  /// Watches these places from now on, whose present lists are `lists`.
  void adopt(std::vector<DiscoveryPlace> places, Discovered lists);
  [[nodiscard]] const Discovered& lists() const noexcept { return lists_; }
  /// The last good list of a pool at that path, or null.
  [[nodiscard]] const std::vector<ReplicaModel>* last_good(const DiscoveryPlace& place) const;
  /// Looks whether some file has changed; for file systems that tell nobody.
  void look();

 private:
  /// What tells one state of a file from another.
  struct Stamp {
    ino_t inode = 0;
    off_t size_bytes = 0;
    timespec changed{};
    bool operator==(const Stamp& other) const noexcept;
  };
  struct Watched {
    DiscoveryPlace place;
    Stamp stamp;
  };
  [[nodiscard]] static Stamp stamp_of(const std::string& path) noexcept;

  void on_ready(Readiness ready) override;
  void on_timer(Timer& timer) override {
    look();
    static_cast<void>(timer);
  }
  void watch_folders();
  [[nodiscard]] bool read_again(Watched& watched);

  Loop& loop_;
  std::function<void()> on_change_;
  std::vector<Watched> watched_;
  Discovered lists_;
  Fd inotify_;
  Watch watch_;
  Timer settle_;
};

}  // namespace limpet
