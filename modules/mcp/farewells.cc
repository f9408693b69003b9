// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/farewells.h"

#include <utility>

namespace limpet::mcp {

void Farewells::send(ReplicaCalls& calls, CallRequest request) {
  if (under_way_.size() >= kMax) return;
  Farewell& farewell = under_way_.emplace_back(*this);
  farewell.call = calls.call(std::move(request), farewell);
}

void Farewells::remove(const Farewell& farewell) {
  under_way_.remove_if([&](const Farewell& held) { return &held == &farewell; });
}

}  // namespace limpet::mcp
