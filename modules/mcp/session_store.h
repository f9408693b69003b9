// SPDX-License-Identifier: Apache-2.0
#pragma once
// SessionStore: the records of one pool's sessions, by the id that the client knows, and the ids
// of ended sessions (tombstones); shared by all workers of the process. It is asked when a session
// begins, changes or ends, and after a failure; never for a plain call. What grows has a bound, and
// what a bound costs is counted. session_activity.h tells it who is still alive.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"
#include "modules/mcp/session_record.h"

namespace limpet::mcp {

/// The bounds on numbers hold for each shard in its share.
struct StoreBounds {
  std::size_t records_max = 100'000;
  std::size_t record_bytes_max = 16 * 1024;         ///< a larger record is not kept
  std::size_t bytes_max = std::size_t{256} << 20U;  ///< all records together
  std::size_t subscriptions_max = 64;               ///< of one session; later ones are not replayed
  std::size_t tombstones_max = 100'000;
  Duration tombstone_time = std::chrono::hours(1);
};

/// Numbers since the store was made, and how much it holds.
struct StoreCounts {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t evicted = 0;             ///< records that made room for others
  std::uint64_t too_large = 0;           ///< records or changes that were not kept
  std::uint64_t tombstones_evicted = 0;  ///< before their time
};

/// How keeping went.
enum class Keeping : std::uint8_t { kKept, kTooLarge, kBuried, kUnknown };

/// A session that nobody has used for long.
struct IdleSession {
  std::string id;
  SessionHome home;
  std::string protocol_version;
  std::string target;
  bool had_credential = false;
  bool was_met_only = false;  ///< opened elsewhere: it may be in use there
};

/// Thread: any; short locks, one of kShards.
class SessionStore {
 public:
  explicit SessionStore(StoreBounds bounds);

  /// Takes a session in, in place of an earlier one of that id. kBuried where it has ended.
  Keeping keep(std::string_view id, SessionRecord record, Instant now);
  /// A session that was not opened through this process was met at `home`: it is counted there from
  /// now on. Where the session is known already, or has ended, only a use is noted. It cannot be
  /// carried over: nothing is known of how it began.
  void meet(std::string_view id, SessionHome home, Instant now);
  /// Whether enough is known of the session to open it anew.
  [[nodiscard]] bool knows_birth(std::string_view id);
  /// A copy of the record, which counts as a use.
  [[nodiscard]] std::optional<SessionRecord> find(std::string_view id, Instant now);
  /// Where the session lives; asked where its id alone does not say it: after a move, and for ids
  /// that are not wrapped. Counts as a use.
  [[nodiscard]] std::optional<SessionHome> home_of(std::string_view id, Instant now);

  Keeping set_level(std::string_view id, std::string_view level);
  Keeping subscribe(std::string_view id, std::string_view uri);
  Keeping unsubscribe(std::string_view id, std::string_view uri);
  /// The session was carried over. kBuried where it ended meanwhile, kUnknown where its record made
  /// room meanwhile: then nothing leads to the new one, which is to be deleted.
  Keeping move(std::string_view id, SessionHome home, Instant now);
  /// The server's facts of the new replica take the place of the old, once a carry-over was allowed
  /// in spite of differences.
  Keeping renew(std::string_view id, const ServerFacts& server);

  /// The session has ended: forgets its record and remembers that.
  void bury(std::string_view id, Instant now);
  [[nodiscard]] bool is_buried(std::string_view id, Instant now);
  /// Forgets a record without a tombstone.
  void forget(std::string_view id);

  /// The session was used, by whatever.
  void touch(std::string_view id, Instant now);
  /// At most `at_most` sessions unused for `idle` or longer; they stay until buried.
  [[nodiscard]] std::vector<IdleSession> idle_since(Instant now, Duration idle,
                                                    std::size_t at_most);
  /// The ids of at most `at_most` sessions that live on that replica; for migrating them.
  /// Cost: looks at every record, shard by shard.
  [[nodiscard]] std::vector<std::string> living_on(std::string_view replica, std::size_t at_most);

  /// Counts the sessions out that live on that replica, are known well enough to be carried over,
  /// and have not been used for `idle`: nothing keeps the replica for their sake, the next request
  /// of each opens it elsewhere. One that is used meanwhile counts again. Says how many they were.
  /// Cost: looks at every record, shard by shard.
  std::size_t release_idle(std::string_view replica, Instant now, Duration idle);
  /// Counts those in again: the replica stays.
  /// Cost: the same.
  void take_back(std::string_view replica);

  /// How many sessions live on each replica, by its id; replicas without any are missing.
  [[nodiscard]] std::map<std::string, std::uint64_t> living();
  /// How many sessions live on that one.
  [[nodiscard]] std::uint64_t count_on(std::string_view replica);

  [[nodiscard]] StoreCounts counts();
  [[nodiscard]] const StoreBounds& bounds() const noexcept { return bounds_; }

 private:
  static constexpr std::size_t kShards = 16;
  struct Hash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view id) const noexcept;
    std::uint64_t seed = 0;
  };
  using Order = std::list<const std::string*>;  // least recently used first
  struct Entry {
    SessionRecord record;
    std::size_t bytes = 0;
    Instant used{};
    Order::iterator place{};
    bool is_released = false;  ///< not counted on its replica any more
  };
  using Table = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;
  struct Tombstone {
    std::uint64_t key = 0;
    Instant until{};
  };
  struct Shard {
    explicit Shard(Hash hash) : table(16, hash) {}
    std::mutex mutex;
    Table table;
    Order order;
    std::unordered_map<std::uint64_t, Instant> tombstones;
    std::list<Tombstone> tombstone_order;  // the first ends first
    std::map<std::string, std::uint64_t, std::less<>> living;
    StoreCounts counts;
  };

  [[nodiscard]] Shard& shard_of(std::string_view id) noexcept;
  [[nodiscard]] static bool is_dead(Shard& shard, std::uint64_t key, Instant now);
  template <typename Change>
  Keeping change(std::string_view id, const Change& apply);
  static void use(Shard& shard, Entry& entry, Instant now);
  void put_in(Shard& shard, std::string_view id, SessionRecord record, Instant now);
  static void remove(Shard& shard, Table::iterator at);
  static void count_in(Shard& shard, Entry& entry);
  static void count_out(Shard& shard, Entry& entry);
  void make_room(Shard& shard) const;

  StoreBounds bounds_;
  Hash hash_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace limpet::mcp
