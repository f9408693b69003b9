// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern_eras.h"

#include "daemon/base/hash.h"

namespace limpet::mcp {

namespace {

// A restarted replica may be of another release.
std::uint64_t life_of(const Vitals& vitals) noexcept {
  const auto died = static_cast<std::uint64_t>(vitals.last_dead_s.load(std::memory_order_relaxed));
  const std::uint64_t reported = vitals.incarnation.load(std::memory_order_relaxed);
  return (died * 0x9e3779b97f4a7c15U ^ reported) | 1U;
}

}  // namespace

void ReplicaEras::follow(const Vitals& vitals) noexcept {
  const std::uint64_t present = life_of(vitals);
  if (life.load(std::memory_order_relaxed) == present) return;
  // The first look at a replica forgets nothing.
  if (life.exchange(present, std::memory_order_relaxed) == 0) return;
  for (auto& answer : speaks)
    answer.store(Speaks::kUnknown, std::memory_order_relaxed);
  asked_ns.store(0, std::memory_order_relaxed);
  was_asked.store(false, std::memory_order_relaxed);
}

std::shared_ptr<ReplicaEras> EraBook::entry(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (const auto at = entries_.find(id); at != entries_.end()) return at->second;
  std::erase_if(entries_, [](const auto& held) { return held.second.use_count() == 1; });
  return entries_.emplace(id, std::make_shared<ReplicaEras>()).first->second;
}

std::uint64_t mark_of_replicas(const PoolFacts& pool) noexcept {
  std::uint64_t mark = pool.replicas.size();
  for (const Replica& replica : pool.replicas)
    mark = stable_hash(replica.address_text, stable_hash(replica.id, mark));
  return mark;
}

EraFilter::EraFilter(EraBook& book, const PoolFacts& pool, Asking asking)
    : book_(book), asking_(asking) {
  entries_.reserve(pool.replicas.size());
  for (const Replica& replica : pool.replicas)
    entries_.push_back(book.entry(replica.id));
}

// A pool whose replicas all speak the same language is balanced as if there were no eras. Who was
// asked and said nothing of use (it wants credentials, say) is as good as any.
void EraFilter::narrow(Candidates& candidates, Era era) {
  bool is_any_known = false;
  bool is_any_unfit = false;
  for (std::uint32_t i = 0; i < size() && i < candidates.size(); ++i) {
    at(i).follow(*candidates.at(i).vitals);
    is_any_known |= at(i).of(era) == Speaks::kYes;
    is_any_unfit |= at(i).of(era) == Speaks::kNo;
  }
  const bool matters = is_any_unfit || book_.matters(candidates.now());
  era_ = era;
  is_proof_wanted_ = asking_ == Asking::kOn && is_any_known && matters;
  if (!is_any_unfit && !is_proof_wanted_) return;
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    if (!candidates.is_worth_waiting_for(candidates.at(i)) || !is_fit(candidates.at(i))) continue;
    return candidates.narrow(*this);
  }
}

bool EraFilter::is_fit(const Replica& replica) const noexcept {
  if (replica.index >= entries_.size()) return true;
  const ReplicaEras& eras = *entries_[replica.index];
  switch (eras.of(era_)) {
    case Speaks::kYes:
      return true;
    case Speaks::kNo:
      return false;
    case Speaks::kUnknown:
      return !is_proof_wanted_ || eras.was_asked.load(std::memory_order_relaxed);
  }
  return true;
}

}  // namespace limpet::mcp
