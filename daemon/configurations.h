// SPDX-License-Identifier: Apache-2.0
#pragma once
// Configurations: the configuration in force and the next one: read, built, taken up or refused. It
// makes snapshots; the supervisor hands them to workers. It opens no socket.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/line_writer.h"
#include "daemon/config/load.h"
#include "daemon/discovery_file.h"
#include "daemon/module/module.h"
#include "daemon/proxy/replica_book.h"
#include "daemon/proxy/snapshot.h"

namespace limpet {

/// Where the configuration comes from.
struct ConfigOrigin {
  std::string file;  ///< or the name shown for `text`
  std::string text;  ///< of the demo; empty: the file is read
};

/// A configuration on its way. A null snapshot: not built yet, or refused, and `config` says why.
/// Owns: what was opened for it; a refused one takes that along.
struct Candidate {
  Config config;
  std::vector<DiscoveryPlace> places;
  Discovered lists;
  std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<LineWriter> access_log;  ///< null: off, or the one in force does
};

/// All configurations of this process, one after the other.
/// Thread: main.
class Configurations {
 public:
  Configurations(ConfigOrigin origin, std::span<const ModuleKind> kinds);

  /// Reads the file and the replica files it names; every mistake is in `config`. A replica file
  /// that is bad now and was good before keeps its last good list.
  [[nodiscard]] Candidate read(const DiscoveryFiles* in_force) const;
  /// Builds the snapshot of a candidate, with all that is wrong in its `config`.
  void build(Candidate& candidate);
  /// The same, for --check: nothing is made on disk, and the snapshot is not to serve.
  void try_out(Candidate& candidate);
  /// Puts a built candidate in force. What was wished at run time is forgotten.
  void take_up(Candidate candidate);

  /// The configuration in force, built again with other replica lists, after another wish, or
  /// because a replica has departed. Null: refused, which is logged; the old snapshot stays.
  [[nodiscard]] std::shared_ptr<const Snapshot> rebuild(const Discovered& lists);

  [[nodiscard]] bool has_config() const noexcept { return present_ != nullptr; }
  /// The configuration in force; there is one.
  [[nodiscard]] const Config& config() const noexcept { return present_->config; }
  [[nodiscard]] const Model& model() const noexcept { return present_->config.model(); }
  [[nodiscard]] const std::shared_ptr<const Snapshot>& snapshot() const noexcept {
    return snapshot_;
  }
  [[nodiscard]] const Discovered& lists() const noexcept { return lists_; }
  [[nodiscard]] const ConfigOrigin& origin() const noexcept { return origin_; }
  [[nodiscard]] RuntimeWishes& wishes() noexcept { return wishes_; }
  /// How many workers a configuration asks for; counted once, at start.
  void set_workers(std::size_t workers) { book_ = std::make_unique<ReplicaBook>(workers); }
  [[nodiscard]] bool has_departed() const;
  /// What an earlier process knew of replicas; after set_workers(), before the first build().
  void recall(SavedReplicas saved) { book_->recall(std::move(saved)); }
  [[nodiscard]] SavedReplicas to_save() const;
  /// The TLS contexts of the configuration in force.
  [[nodiscard]] TlsShelf& shelf() noexcept { return shelf_; }

 private:
  enum class Purpose : std::uint8_t { kServe, kServeAgain, kTrial };
  [[nodiscard]] std::shared_ptr<const Snapshot> build(Candidate& candidate, const Discovered& lists,
                                                      const RuntimeWishes& wishes, Purpose purpose);

  ConfigOrigin origin_;
  std::span<const ModuleKind> kinds_;
  std::unique_ptr<ReplicaBook> book_;
  TlsShelf shelf_;
  RuntimeWishes wishes_;
  std::unique_ptr<Candidate> present_;
  Discovered lists_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::uint64_t revision_ = 0;
};

/// The pool of that name, or null.
[[nodiscard]] const PoolModel* find_pool(const Model& model, const std::string& name);

/// What is wrong with a list whose file names a replica that limpet.toml names already; "" where
/// nothing is.
[[nodiscard]] std::string named_twice(const PoolModel& pool, const std::vector<ReplicaModel>& list);

}  // namespace limpet
