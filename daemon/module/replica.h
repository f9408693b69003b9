// SPDX-License-Identifier: Apache-2.0
#pragma once
// Replica and Vitals: one server of a pool as the configuration names it, and what is known of it
// right now. A Replica is part of a snapshot and never changes; its Vitals are shared by all
// workers and outlive reloads (proxy/replica_book.h keeps them).

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/clock.h"

namespace limpet {

/// What probes and traffic say of a replica.
enum class Health : std::uint8_t {
  kUnproven,  ///< not probed yet ("probe-first"): takes nothing, counts as down
  kUp,
  kDown,
};

/// What the operator wants of a replica.
enum class AdminState : std::uint8_t { kReady, kDrain, kDown };

/// Sessions by the time they were last seen, so that live ones can be counted without a table: a
/// sealed token carries its own last-seen bucket, so renewing it moves one session from that bucket
/// to the present one. Thread: one writer (its worker), any reader; only the sum over the workers
/// means anything.
class SessionLedger {
 public:
  static constexpr std::size_t kBuckets = 64;

  void add(std::uint32_t bucket, std::int32_t change) noexcept {
    std::atomic<std::uint64_t>& cell = cells_[bucket % kBuckets];
    const std::uint64_t held = cell.load(std::memory_order_relaxed);
    const auto count =
        static_cast<std::uint32_t>(held >> 32) == bucket ? static_cast<std::int32_t>(held) : 0;
    cell.store(std::uint64_t{bucket} << 32 | static_cast<std::uint32_t>(count + change),
               std::memory_order_relaxed);
  }
  /// Sessions whose last-seen bucket is in [oldest, newest].
  [[nodiscard]] std::int64_t count(std::uint32_t oldest, std::uint32_t newest) const noexcept {
    std::int64_t total = 0;
    for (const auto& cell : cells_) {
      const std::uint64_t held = cell.load(std::memory_order_relaxed);
      const auto bucket = static_cast<std::uint32_t>(held >> 32);
      if (bucket >= oldest && bucket <= newest) total += static_cast<std::int32_t>(held);
    }
    return total;
  }

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets> cells_{};
};

/// How a client names a session: by a cookie of limpet's, or by an id, of which somebody may keep a
/// list.
enum class SessionKind : std::uint8_t { kCookie, kId };

/// What one worker knows of a replica; written by that worker only.
struct alignas(64) WorkerShare {
  std::atomic<std::uint32_t> in_flight{0};
  std::atomic<std::uint32_t> queued{0};
  std::atomic<std::uint32_t> latency_us{
      0};  ///< moving average of the time to first byte; 0 = nothing known
  std::atomic<std::uint32_t> connections{0};
  SessionLedger sessions;
  SessionLedger sessions_by_id;  ///< those of them that have an id
  /// Session bucket of the last request whose token led here, by SessionKind; 0 = none yet. The
  /// ledger knows when tokens were sealed, and not every token is sealed anew while it is used.
  std::array<std::atomic<std::uint32_t>, 2> last_hit_buckets{};

  void note_session(SessionKind kind, std::uint32_t bucket, std::int32_t change) noexcept {
    sessions.add(bucket, change);
    if (kind == SessionKind::kId) sessions_by_id.add(bucket, change);
  }
  void note_hit(SessionKind kind, std::uint32_t bucket) noexcept {
    std::atomic<std::uint32_t>& last = last_hit_buckets[static_cast<std::size_t>(kind)];
    if (last.load(std::memory_order_relaxed) != bucket)
      last.store(bucket, std::memory_order_relaxed);
  }
};

/// How long after it was last seen a session counts as live where no idle limit says otherwise.
inline constexpr std::uint32_t kLiveSessionBuckets = 30;
/// How long after its last hit a replica is taken to hold a session, whatever the ledger says.
inline constexpr std::uint32_t kHitBuckets = 5;

/// The living facts of one replica.
/// Thread: any may read. Writers: shares by their worker; health by the prober; admin by main; the
/// rest as said.
class Vitals {
 public:
  explicit Vitals(std::size_t workers) : shares_(workers) {}

  std::atomic<Health> health{Health::kUnproven};
  std::atomic<AdminState> admin{AdminState::kReady};
  /// Passive ejection: until when (monotonic, ns since epoch), 0 = not ejected. Any worker (rare).
  std::atomic<std::int64_t> ejected_until_ns{0};
  /// Since when it takes traffic again (monotonic, ns), for slow start; 0 = since always. Prober.
  std::atomic<std::int64_t> ready_since_ns{0};
  /// The last moment it was seen dead (wall clock, seconds): a token sealed before that names an
  /// earlier life. Any worker.
  std::atomic<std::int64_t> last_dead_s{0};
  /// Hash of the incarnation that it reports itself, 0 = it reports none. Prober, or affinity on a
  /// response header.
  std::atomic<std::uint64_t> incarnation{0};
  /// Failures in the present window of passive ejection (modules/health). Any worker (rare).
  std::atomic<std::uint64_t> passive_window{0};

  [[nodiscard]] WorkerShare& share(std::size_t worker) noexcept { return shares_[worker]; }
  [[nodiscard]] const WorkerShare& share(std::size_t worker) const noexcept {
    return shares_[worker];
  }
  [[nodiscard]] std::size_t workers() const noexcept { return shares_.size(); }
  /// Requests in flight from all workers.
  [[nodiscard]] std::uint32_t in_flight() const noexcept {
    std::uint32_t total = 0;
    for (const auto& share : shares_)
      total += share.in_flight.load(std::memory_order_relaxed);
    return total;
  }
  /// Sessions last seen in the buckets [oldest, newest], never below zero.
  [[nodiscard]] std::uint32_t sessions(std::uint32_t oldest, std::uint32_t newest) const noexcept {
    std::int64_t total = 0;
    for (const auto& share : shares_)
      total += share.sessions.count(oldest, newest);
    return total < 0 ? 0 : static_cast<std::uint32_t>(total);
  }
  /// Whether a token of that kind led here in the last kHitBuckets before `bucket`, or in it.
  [[nodiscard]] bool was_hit_lately(SessionKind kind, std::uint32_t bucket) const noexcept {
    for (const auto& share : shares_) {
      const std::uint32_t last =
          share.last_hit_buckets[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
      if (last != 0 && last + kHitBuckets >= bucket) return true;
    }
    return false;
  }
  /// So many sessions with an id live here: the word of whoever keeps a list of them, to be said
  /// anew in each bucket.
  void note_listed(std::uint32_t bucket, std::uint32_t count) noexcept {
    listed_.store(std::uint64_t{bucket} << 32 | count, std::memory_order_relaxed);
  }
  /// Live sessions at `bucket`: those sealed in the live window, and at least one where tokens led
  /// here lately: old sessions in use cannot be counted without a table; that there are some is
  /// known. Where somebody keeps a list, its word counts for the sessions that have an id.
  [[nodiscard]] std::uint32_t live_sessions(std::uint32_t bucket) const noexcept {
    const std::uint64_t listed = listed_.load(std::memory_order_relaxed);
    const bool is_list_kept = static_cast<std::uint32_t>(listed >> 32) + 1 >= bucket;
    const std::uint32_t oldest = bucket - kLiveSessionBuckets;
    std::int64_t counted = 0;
    for (const auto& share : shares_) {
      counted += share.sessions.count(oldest, bucket);
      if (is_list_kept) counted -= share.sessions_by_id.count(oldest, bucket);
    }
    const bool was_hit = was_hit_lately(SessionKind::kCookie, bucket) ||
                         (!is_list_kept && was_hit_lately(SessionKind::kId, bucket));
    const std::uint32_t known = is_list_kept ? static_cast<std::uint32_t>(listed) : 0;
    if (counted <= 0) return known + (was_hit ? 1U : 0U);
    return known + static_cast<std::uint32_t>(counted);
  }
  [[nodiscard]] bool is_ejected(Instant now) const noexcept {
    return ejected_until_ns.load(std::memory_order_relaxed) > now.time_since_epoch().count();
  }
  /// Notes a sign of death (a refused connect) at wall time `now`.
  void note_death(WallSeconds now) noexcept {
    last_dead_s.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  std::vector<WorkerShare> shares_;
  std::atomic<std::uint64_t> listed_{0};  // the bucket in which it was said, and the count
};

/// The length of a session bucket and how many make the live window; the same for all, so that
/// counts agree.
inline constexpr std::chrono::seconds kSessionBucket{60};
[[nodiscard]] inline std::uint32_t session_bucket(WallSeconds now) noexcept {
  return static_cast<std::uint32_t>(now.time_since_epoch() / kSessionBucket);
}

/// One server of a pool, as configured.
/// Lifetime: its snapshot's. Thread: immutable; `vitals` as said there.
struct Replica {
  std::string id;           ///< stable name; the metrics label
  std::uint32_t index = 0;  ///< place in PoolFacts::replicas
  Address address;
  std::string address_text;
  std::uint32_t weight = 1;  ///< 0 = takes no new sessions
  std::string revision;
  bool is_backup = false;
  std::shared_ptr<Vitals> vitals;
};

}  // namespace limpet
