// SPDX-License-Identifier: Apache-2.0
#pragma once
// Desk: what the exchanges of one worker's module share: settings, stores, numbers, the way to
// replicas. It does nothing by itself; session_turn.h, carry_prelude.h and reaper.h work at it.

#include <string>
#include <string_view>
#include <unordered_set>

#include "daemon/module/module.h"
#include "modules/mcp/farewells.h"
#include "modules/mcp/letter_box.h"
#include "modules/mcp/numbers.h"
#include "modules/mcp/pool_state.h"
#include "modules/mcp/settings.h"
#include "modules/mcp/shared_store.h"

namespace limpet::mcp {

/// Borrows: everything. Thread: its worker.
struct Desk {
  const McpSettings& settings;
  PoolState& state;
  const PoolFacts& pool;
  WorkerServices& worker;
  WorkerHands& hands;
  Numbers& numbers;
  Farewells& farewells;
  SharedStore* shared = nullptr;                    ///< null without a store
  LetterBox* letters = nullptr;                     ///< null in tests
  std::unordered_set<std::string> left_replicas{};  ///< ids of replicas that sessions shall leave
};

/// When a session opened now on that replica began: behind its last sign of death in any case, so
/// that it belongs to the replica's present life.
[[nodiscard]] WallSeconds birth_second(const Desk& desk, const Replica& replica) noexcept;

/// The home of a session opened on that replica now, or met there.
[[nodiscard]] SessionHome home_on(const Desk& desk, const Replica& replica,
                                  std::string_view original_id);

/// Tells a replica's vitals how many sessions of `store` live on it.
/// Cost: a look into each shard.
void note_living(SessionStore& store, const Replica& replica, WallSeconds now);

/// A session has ended on the replica, or left it. Where that one is drained, whoever waits for its
/// last session hears of it at once; otherwise the caretaker tells soon enough.
void note_left(const Desk& desk, std::string_view replica_id);

/// A number by which log lines name a session, whose id is a secret.
[[nodiscard]] std::string mark_of(std::string_view session_id);

/// Ends a session on a replica and waits for nothing: with the fields given.
void send_delete(Desk& desk, const Replica& replica, std::string_view target,
                 std::string_view authority,
                 std::vector<std::pair<std::string, std::string>> fields);

}  // namespace limpet::mcp
