// SPDX-License-Identifier: Apache-2.0
#pragma once
// SavedReplica: what is known of a replica that shall outlive the process, and its text, a line for
// each. replica_book.h makes and takes these; where the text is kept is state_file.h's matter.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/module/replica.h"

namespace limpet {

/// Sessions by bucket, as in SessionLedger, summed over the workers.
using SavedSessions = std::vector<std::pair<std::uint32_t, std::int32_t>>;

struct SavedReplica {
  std::string pool;
  std::string id;
  std::string address;                      ///< as printed; at another one it is another life
  AdminState written = AdminState::kReady;  ///< what the configuration said
  AdminState admin = AdminState::kReady;    ///< what held
  Health health = Health::kUnproven;
  std::int64_t ejected_until_s = 0;  ///< wall clock, 0 = not ejected
  std::int64_t last_dead_s = 0;      ///< as in Vitals
  std::uint64_t incarnation = 0;     ///< as in Vitals
  SavedSessions sessions;
  SavedSessions sessions_by_id;  ///< those of them that have an id

  friend bool operator==(const SavedReplica&, const SavedReplica&) = default;
};

/// What was known at a moment.
struct SavedReplicas {
  WallSeconds when{};
  std::vector<SavedReplica> replicas;
};

/// "ready", "drain", "down".
[[nodiscard]] std::string_view word_of(AdminState state) noexcept;

[[nodiscard]] std::string print_saved(const SavedReplicas& saved);
/// Reads what print_saved() wrote.
/// Errors: a text of another form, with the number of the line.
[[nodiscard]] Result<SavedReplicas> parse_saved(std::string_view text);

/// The buckets of the live window up to `now`, summed over the workers.
[[nodiscard]] SavedSessions saved_sessions(const Vitals& vitals, SessionLedger WorkerShare::*ledger,
                                           std::uint32_t now);

}  // namespace limpet
