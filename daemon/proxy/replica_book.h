// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaBook: which replica survives a reload. It keeps Vitals by pool and id, so that health,
// load, averages and sessions outlive snapshots, and it remembers replicas that vanished from the
// configuration until they are drained. What shall outlive the process it gives and takes as
// SavedReplica (saved_replica.h). Main thread only.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/clock.h"
#include "daemon/config/model.h"
#include "daemon/module/replica.h"
#include "daemon/proxy/saved_replica.h"

namespace limpet {

/// All replicas that this process knows.
/// Thread: main.
class ReplicaBook {
 public:
  /// A replica that is no longer configured keeps its sessions at most so long.
  static constexpr std::chrono::minutes kGrace{30};
  /// What an earlier process saw of health is believed for so long.
  static constexpr std::chrono::minutes kHealthHolds{10};

  explicit ReplicaBook(std::size_t workers) : workers_(workers) {}

  /// What an earlier process knew, for the replicas of the first configuration. Before any other
  /// call.
  void recall(SavedReplicas saved);
  /// What a later process shall know: of the configured replicas, not of those that leave.
  [[nodiscard]] SavedReplicas to_save(Instant now, WallSeconds wall) const;

  /// The Vitals of a configured replica, made at first sight. `is_new` tells whether this process
  /// sees it for the first time (or at a new address, which is a new life), `was_down` whether an
  /// earlier one saw it fail its probes just before it ended.
  struct Entry {
    std::shared_ptr<Vitals> vitals;
    bool is_new = false;
    bool was_down = false;
  };
  [[nodiscard]] Entry enter(const std::string& pool, const ReplicaModel& replica, WallSeconds now);

  /// Replicas of the pool that left the configuration and still drain, as models in state "drain";
  /// a pool without affinity has no sessions to keep, only running exchanges.
  enum class Sessions : std::uint8_t { kNone, kKept };
  [[nodiscard]] std::vector<ReplicaModel> end_round(const std::string& pool, Instant now,
                                                    WallSeconds wall, Sessions sessions);
  /// The vitals of a replica that end_round() named.
  [[nodiscard]] std::shared_ptr<Vitals> vitals_of(const std::string& pool,
                                                  const std::string& id) const;
  /// Undoes a round that ended in a refused configuration.
  void abandon_rounds();
  /// Makes the rounds since the last call final.
  void commit_rounds(Instant now, WallSeconds wall);

  /// Whether some leaving replica is done (no sessions and no requests left, dead, or past its
  /// grace): time to build anew.
  [[nodiscard]] bool has_departed(Instant now, WallSeconds wall) const;

 private:
  struct Record {
    ReplicaModel model;
    std::shared_ptr<Vitals> vitals;
    Instant left_at = kNever;  ///< kNever while configured
    bool is_shown = false;     ///< left, and in the present snapshot as draining
    Sessions sessions = Sessions::kKept;
    // Of the present round, until it is committed or abandoned.
    bool is_entered = false;
    bool is_fresh = false;  ///< first seen in it
    bool is_named = false;  ///< named by end_round()
    ReplicaModel entered_model;
    std::shared_ptr<Vitals> fresh_vitals;
  };
  using Name = std::pair<std::string, std::string>;  // pool and id
  /// What an earlier process knew of the replica, or null.
  [[nodiscard]] const SavedReplica* recalled(const Name& name) const;
  /// The state of a replica that comes, or whose word in the file has changed.
  [[nodiscard]] AdminState first_state(const Name& name, const ReplicaModel& model) const;
  /// Whether nothing holds a replica that left at `left_at`; for end_round(), has_departed() and
  /// commit_rounds() alike.
  [[nodiscard]] static bool is_done(const Record& record, Instant left_at, Instant now,
                                    WallSeconds wall);

  std::size_t workers_;
  std::map<Name, Record> records_;
  std::map<Name, SavedReplica> recalled_;  ///< until the first configuration is in force
  WallSeconds recalled_at_{};
};

}  // namespace limpet
