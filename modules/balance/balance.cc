// SPDX-License-Identifier: Apache-2.0
#include "modules/balance/balance.h"

#include <memory>
#include <vector>

#include "modules/balance/policy.h"

namespace limpet::balance {
namespace {

constexpr std::chrono::seconds kRetryWhenFull{1};
constexpr std::chrono::seconds kRetryWhenDown{5};
constexpr std::chrono::seconds kRetryWhenOverSessions{10};

std::unique_ptr<Policy> make_policy(const BalanceSettings& settings, const ReplicaGroup& group,
                                    Random& random) {
  switch (settings.policy) {
    case BalancePolicy::kTwoChoices:
      return make_two_choices(group);
    case BalancePolicy::kLeastRequests:
      return make_least_requests(group);
    case BalancePolicy::kSessions:
      return make_sessions(group);
    case BalancePolicy::kRoundRobin:
      return make_round_robin(group, random);
    case BalancePolicy::kRandom:
      return make_random(group);
    case BalancePolicy::kHash:
      return make_hash(group, settings.hash_key);
  }
  return make_random(group);
}

enum class Rank : std::uint8_t { kPrimary, kBackup };

/// The groups of one rank, one for each revision that takes new sessions.
class RankedGroups {
 public:
  RankedGroups(const PoolFacts& pool, Rank rank, const BalanceSettings& settings, Random& random) {
    if (pool.revisions.empty()) add(pool, rank, nullptr, 1);
    for (const auto& [revision, share] : pool.revisions)
      add(pool, rank, &revision, share);
    for (auto& entry : entries_)
      entry.policy = make_policy(settings, entry.group, random);
  }

  /// Draws a revision by its share among those that have somebody eligible, then picks within it.
  const Replica* pick(const Ballot& ballot) {
    if (entries_.size() == 1) return entries_.front().policy->pick(ballot);
    std::uint64_t left = 0;
    for (auto& entry : entries_) {
      entry.is_empty_handed = false;
      left += entry.share;
    }
    while (left > 0) {
      Entry& entry = drawn(ballot.random().next() % left);
      if (const Replica* replica = entry.policy->pick(ballot)) return replica;
      entry.is_empty_handed = true;
      left -= entry.share;
    }
    return nullptr;
  }

  template <typename Each>
  void for_each_replica(Each each) const {
    for (const auto& entry : entries_) {
      for (std::uint32_t i = 0; i < entry.group.size(); ++i)
        each(entry.group.at(i));
    }
  }

 private:
  struct Entry {
    ReplicaGroup group;
    std::uint64_t share;
    std::unique_ptr<Policy> policy;
    bool is_empty_handed = false;
  };

  void add(const PoolFacts& pool, Rank rank, const std::string* revision, std::uint64_t share) {
    std::vector<std::uint32_t> members;
    for (const Replica& replica : pool.replicas) {
      if (replica.weight == 0 || replica.is_backup != (rank == Rank::kBackup)) continue;
      if (revision == nullptr || replica.revision == *revision) members.push_back(replica.index);
    }
    if (share > 0 && !members.empty()) {
      entries_.push_back({ReplicaGroup(pool, std::move(members)), share, nullptr, false});
    }
  }

  Entry& drawn(std::uint64_t ticket) {
    for (auto& entry : entries_) {
      if (entry.is_empty_handed) continue;
      if (ticket < entry.share) return entry;
      ticket -= entry.share;
    }
    return entries_.back();
  }

  std::vector<Entry> entries_;  // complete before the first policy borrows a group
};

class Balance final : public Module {
 public:
  Balance(const BalanceSettings& settings, const ModuleServices& services)
      : settings_(settings),
        worker_(services.worker),
        slot_(services.slot),
        latencies_(*services.pool, services.worker.worker()),
        sessions_(*services.pool),
        primaries_(*services.pool, Rank::kPrimary, settings, services.worker.random),
        backups_(*services.pool, Rank::kBackup, settings, services.worker.random) {}

  Verdict on_select(Exchange& exchange, Candidates& candidates) override {
    const BallotTools tools{settings_, worker_.random, latencies_, sessions_, worker_.wall_now()};
    const Ballot ballot(candidates, exchange, tools);
    const Replica* replica = primaries_.pick(ballot);
    if (replica == nullptr) replica = backups_.pick(ballot);
    if (replica == nullptr) {
      give_up(exchange, candidates, ballot);
      return Verdict::kSettled;
    }
    if (settings_.counts_sessions()) note_begun(exchange, *replica);
    candidates.choose(*replica);
    return Verdict::kSettled;
  }

  void on_done(const Exchange& exchange) noexcept override {
    if (settings_.counts_sessions()) note_ended(exchange);
    const Times& times = exchange.times;
    if (exchange.replica == nullptr || times.first_byte == kNever || times.sent == kNever) return;
    if (exchange.answer.status != 0) return;  // limpet's own answer, after whatever came before
    latencies_.note(*exchange.replica, times.first_byte - times.sent,
                    exchange.status >= 500 ? Sampled::kFault : Sampled::kGood, worker_.now());
  }
  void on_left(const Exchange& exchange) noexcept override {
    if (settings_.counts_sessions()) note_ended(exchange);
  }

 private:
  // A wait for one replica was affinity's; what is moved after it may still queue.
  static bool is_own_wait_over(const Exchange& exchange) noexcept {
    return exchange.is_waiting_over && exchange.waited_for == nullptr;
  }

  void give_up(const Exchange& exchange, Candidates& candidates, const Ballot& ballot) const {
    bool is_any_full = false;
    bool is_any_over_sessions = false;
    const auto look = [&](const Replica& replica) {
      if (!candidates.is_worth_waiting_for(replica)) return;
      (ballot.is_over_sessions(replica) ? is_any_over_sessions : is_any_full) = true;
    };
    primaries_.for_each_replica(look);
    backups_.for_each_replica(look);

    Answer answer;
    answer.status = 503;
    if (is_any_full) {
      if (!is_own_wait_over(exchange) && settings_.queue_max > 0) {
        candidates.wait_for(nullptr, settings_.queue_timeout, settings_.queue_max);
        return;
      }
      answer.detail = "every replica of the pool is full";
      answer.retry_after = kRetryWhenFull;
    } else if (is_any_over_sessions) {
      answer.detail = "every replica of the pool has as many sessions as it may";
      answer.retry_after = kRetryWhenOverSessions;
    } else {
      answer.detail = "no replica of the pool is available";
      answer.retry_after = kRetryWhenDown;
    }
    candidates.refuse(answer);
  }

  // The exchange's note is the place of the replica that it may begin a session on, plus one.
  void note_begun(Exchange& exchange, const Replica& replica) noexcept {
    note_ended(exchange);
    sessions_.begin(replica.index);
    exchange.notes[slot_] = reinterpret_cast<void*>(std::uintptr_t{replica.index} + 1);
  }
  void note_ended(const Exchange& exchange) noexcept {
    const auto note = reinterpret_cast<std::uintptr_t>(exchange.notes[slot_]);
    if (note != 0) sessions_.end(static_cast<std::uint32_t>(note - 1));
  }

  const BalanceSettings& settings_;
  WorkerServices& worker_;
  std::size_t slot_;
  Latencies latencies_;
  SessionCounts sessions_;
  RankedGroups primaries_;
  RankedGroups backups_;
};

/// What a chain without a pool gets: nothing to pick from.
class NoBalance final : public Module {};

class BalancePlan final : public ModulePlan {
 public:
  explicit BalancePlan(BalanceSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool wants(Phase phase) const noexcept override {
    return phase == Phase::kSelect || phase == Phase::kDone;
  }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override {
    if (services.pool == nullptr) return std::make_unique<NoBalance>();
    return std::make_unique<Balance>(settings_, services);
  }
  [[nodiscard]] std::optional<ReplicaLimits> limits() const noexcept override {
    return ReplicaLimits{settings_.requests_max, settings_.sessions_max};
  }
  [[nodiscard]] std::uint32_t panic_threshold_percent() const noexcept override {
    return settings_.panic_threshold_percent;
  }

 private:
  BalanceSettings settings_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader settings, const PlanContext&) {
  return std::make_unique<BalancePlan>(read_balance_settings(settings));
}

}  // namespace
}  // namespace limpet::balance

namespace limpet {

const ModuleKind kBalance{"balance", balance::read};

}  // namespace limpet
