// SPDX-License-Identifier: Apache-2.0
// The words for the enumerations of exchange.h and failure.h, as logs and labels show them.
#include <array>

#include "daemon/module/exchange.h"
#include "daemon/module/failure.h"

namespace limpet {

std::string_view name_of(Outcome outcome) noexcept {
  constexpr std::array<std::string_view, kOutcomes> kNames = {"none",  "hit",    "new",
                                                              "moved", "waited", "refused"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::string_view name_of(Cause cause) noexcept {
  constexpr std::array<std::string_view, kCauses> kNames = {
      "", "gone", "down", "full", "draining", "expired", "invalid", "foreign"};
  return kNames[static_cast<std::size_t>(cause)];
}

std::string_view name_of(Ending ending) noexcept {
  constexpr std::array<std::string_view, 8> kNames = {
      "complete",       "answered",     "client-gone", "client-slow",
      "replica-failed", "replica-slow", "refused",     "shutdown"};
  return kNames[static_cast<std::size_t>(ending)];
}

std::string_view name_of(FailureCause cause) noexcept {
  constexpr std::array<std::string_view, 13> kNames = {"",
                                                       "connect-refused",
                                                       "connect-timeout",
                                                       "connect-failed",
                                                       "unsent",
                                                       "refused-stream",
                                                       "reset",
                                                       "bad-response",
                                                       "head-timeout",
                                                       "body-timeout",
                                                       "truncated",
                                                       "own-limit",
                                                       "status"};
  return kNames[static_cast<std::size_t>(cause)];
}

}  // namespace limpet
