// SPDX-License-Identifier: Apache-2.0
#include "daemon/module/candidates.h"

namespace limpet {

bool Candidates::is_eligible(const Replica& replica) const noexcept {
  return is_worth_waiting_for(replica) && standing(replica) == Standing::kReady;
}

bool Candidates::is_worth_waiting_for(const Replica& replica) const noexcept {
  if (replica.weight == 0 || !is_fit(replica)) return false;
  const Standing how = standing(replica);
  if (how != Standing::kReady && how != Standing::kFull && how != Standing::kUnproven) return false;
  // A full replica that is being drained gets nothing new either.
  if (replica.vitals->admin.load(std::memory_order_relaxed) != AdminState::kReady) return false;
  return true;
}

}  // namespace limpet
