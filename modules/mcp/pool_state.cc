// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/pool_state.h"

#include <map>
#include <mutex>
#include <utility>

namespace limpet::mcp {

WorkerHands& PoolState::hands_of(std::size_t worker) {
  const std::lock_guard lock(mutex_);
  return hands_.try_emplace(worker, store).first->second;
}

std::shared_ptr<PoolState> pool_state(const std::string& pool, const StoreBounds& store_bounds,
                                      const CarryBounds& carry_bounds, std::size_t tasks_max) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<PoolState>> states;
  const std::lock_guard lock(mutex);
  std::weak_ptr<PoolState>& held = states[pool];
  std::shared_ptr<PoolState> state = held.lock();
  if (state == nullptr) {
    state = std::make_shared<PoolState>(store_bounds, carry_bounds, tasks_max);
    held = state;
  }
  return state;
}

}  // namespace limpet::mcp
