// SPDX-License-Identifier: Apache-2.0
#pragma once
// PoolState: what the workers of this process know together of one pool's sessions: their records
// and who is carrying which of them over. It outlives reloads, since the sessions do.

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "modules/mcp/carry_guard.h"
#include "modules/mcp/doubts.h"
#include "modules/mcp/modern_eras.h"
#include "modules/mcp/modern_tasks.h"
#include "modules/mcp/session_activity.h"
#include "modules/mcp/session_store.h"

namespace limpet::mcp {

class StreamWatch;

/// What one worker has in hand of a pool's sessions, whichever generation began it.
/// Thread: its worker.
struct WorkerHands {
  explicit WorkerHands(SessionStore& store) : activity(store) {}

  SessionActivity activity;
  Doubts doubts;
  std::unordered_set<StreamWatch*> streams;  ///< open GET streams of sessions
};

/// One for a pool of a name.
/// Thread: any; its parts lock for themselves.
struct PoolState {
  PoolState(const StoreBounds& store_bounds, const CarryBounds& carry_bounds,
            std::size_t tasks_max = TaskTable::kTasksMax)
      : store(store_bounds), guard(carry_bounds), tasks(tasks_max) {}

  /// Made where there are none.
  [[nodiscard]] WorkerHands& hands_of(std::size_t worker);

  SessionStore store;
  CarryGuard guard;
  TaskTable tasks;
  EraBook eras;

 private:
  std::mutex mutex_;
  std::unordered_map<std::size_t, WorkerHands> hands_;
};

/// The state of the pool of that name, made where no plan holds one. Bounds are those it was made
/// with, as long as it lives.
/// Thread: main.
[[nodiscard]] std::shared_ptr<PoolState> pool_state(const std::string& pool,
                                                    const StoreBounds& store_bounds,
                                                    const CarryBounds& carry_bounds,
                                                    std::size_t tasks_max);

}  // namespace limpet::mcp
