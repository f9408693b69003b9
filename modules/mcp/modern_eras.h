// SPDX-License-Identifier: Apache-2.0
#pragma once
// EraBook: which eras each replica of a pool speaks: sessions (initialize), the modern revisions
// without them, or both. While releases are changed a pool may hold all of these, and clients ask
// once and remember. EraFilter keeps replicas out that would not understand a request.
// modern_probe.h finds out.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/module/candidates.h"
#include "modules/mcp/modern.h"

namespace limpet::mcp {

/// What is known of one replica, in its present life.
/// Thread: any.
struct ReplicaEras {
  std::array<std::atomic<Speaks>, 2> speaks{Speaks::kUnknown, Speaks::kUnknown};  ///< by Era
  std::atomic<std::uint64_t> life{0};     ///< of the replica that it is known of
  std::atomic<std::int64_t> asked_ns{0};  ///< when a worker asked last (monotonic); 0 = never
  std::atomic<bool> was_asked{false};     ///< a question was over, whatever came of it

  [[nodiscard]] Speaks of(Era era) const noexcept {
    return speaks[static_cast<std::size_t>(era)].load(std::memory_order_relaxed);
  }
  void learn(Era era, Speaks answer) noexcept {
    if (answer != Speaks::kUnknown)
      speaks[static_cast<std::size_t>(era)].store(answer, std::memory_order_relaxed);
  }
  /// Forgets everything where the replica has begun another life since.
  void follow(const Vitals& vitals) noexcept;
};

/// One for a pool; replicas keep what is known of them over reloads.
/// Thread: any.
class EraBook {
 public:
  /// The entry of the replica of that id, made where there is none. Entries that no plan holds any
  /// more are dropped then.
  [[nodiscard]] std::shared_ptr<ReplicaEras> entry(const std::string& id);

  /// So long after the last modern request eras matter to nobody.
  static constexpr Duration kMattersFor = std::chrono::minutes(10);

  /// The modern revisions are in use here: eras matter.
  [[nodiscard]] bool matters(Instant now) const noexcept {
    const std::int64_t seen_ns = modern_seen_ns_.load(std::memory_order_relaxed);
    return seen_ns != 0 && now - Instant(Duration(seen_ns)) < kMattersFor;
  }
  void note_modern(Instant now) noexcept {
    modern_seen_ns_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  /// A mark of the replicas that the newest plan has.
  [[nodiscard]] std::uint64_t replicas_mark() const noexcept {
    return replicas_mark_.load(std::memory_order_relaxed);
  }
  void set_replicas_mark(std::uint64_t mark) noexcept {
    replicas_mark_.store(mark, std::memory_order_relaxed);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<ReplicaEras>> entries_;
  std::atomic<std::int64_t> modern_seen_ns_{0};
  std::atomic<std::uint64_t> replicas_mark_{0};
};

/// A mark of the ids and addresses of a pool's replicas.
[[nodiscard]] std::uint64_t mark_of_replicas(const PoolFacts& pool) noexcept;

/// The eras of one pool's replicas as one worker looks at them, and the filter for one choice.
/// Thread: its worker.
class EraFilter final : public CandidateFilter {
 public:
  /// Whether replicas are asked at all.
  enum class Asking : std::uint8_t { kOff, kOn };

  EraFilter(EraBook& book, const PoolFacts& pool, Asking asking);

  /// Keeps replicas out that do not speak `era`; where the pool is known to be mixed, or modern
  /// requests come, also those that have not been asked yet. Does nothing where nobody would be
  /// left.
  void narrow(Candidates& candidates, Era era);

  [[nodiscard]] bool is_fit(const Replica& replica) const noexcept override;
  [[nodiscard]] ReplicaEras& at(std::uint32_t index) const noexcept { return *entries_[index]; }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(entries_.size());
  }

 private:
  EraBook& book_;
  Asking asking_;
  std::vector<std::shared_ptr<ReplicaEras>> entries_;  // by the replica's index
  Era era_ = Era::kSession;
  bool is_proof_wanted_ = false;
};

}  // namespace limpet::mcp
