// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/generation.h"

#include <algorithm>

#include "daemon/proxy/worker_room.h"

namespace limpet {

bool PoolAtWork::retries_status(std::uint16_t status) const noexcept {
  if (status < 500) return false;
  return std::any_of(plan->chain.begin(), plan->chain.end(),
                     [status](const ChainLink& link) { return link.plan->retries_status(status); });
}

bool PoolAtWork::is_panicking(Instant now) {
  if (plan->panic_threshold_percent == 0) return false;
  constexpr std::chrono::milliseconds kLookAgainAfter{50};
  if (now - kLookAgainAfter < panic_checked) return panics;
  panic_checked = now;
  std::size_t wanted = 0;
  std::size_t usable = 0;
  for (const Replica& replica : plan->facts.replicas) {
    const Vitals& vitals = *replica.vitals;
    if (vitals.admin.load(std::memory_order_relaxed) == AdminState::kDown) continue;
    // A replica that nobody has looked at yet is no sign of trouble.
    const Health health = vitals.health.load(std::memory_order_relaxed);
    if (health == Health::kUnproven) {
      panics = false;
      return false;
    }
    ++wanted;
    if (health == Health::kUp && !vitals.is_ejected(now)) ++usable;
  }
  panics = usable * 100 < wanted * plan->panic_threshold_percent;
  return panics;
}

Generation::Generation(std::shared_ptr<const Snapshot> snapshot, WorkerRoom& room)
    : snapshot_(std::move(snapshot)), router_(snapshot_->routes) {
  for (const ChainLink& link : snapshot_->bare_chain)
    bare_chain_.add(*link.plan, room.services(), nullptr);
  for (const auto& plan : snapshot_->pools) {
    auto pool = std::make_unique<PoolAtWork>();
    pool->plan = plan.get();
    for (const ChainLink& link : plan->chain)
      pool->chain.add(*link.plan, room.services(), &plan->facts);
    pool->slots.reserve(plan->facts.replicas.size());
    for (const Replica& replica : plan->facts.replicas) {
      ReplicaSlot& slot = room.slot_of(replica);
      slot.configure(plan->timeouts, plan->reach);
      pool->slots.push_back(&slot);
    }
    pool->waiting = &room.waiting_room(plan->facts.name);
    pools_.push_back(std::move(pool));
  }
}

}  // namespace limpet
