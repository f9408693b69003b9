// SPDX-License-Identifier: Apache-2.0
#include "daemon/module/replica.h"

#include <doctest/doctest.h>

namespace limpet {
namespace {

constexpr std::uint32_t kNow = 29'000'000;

TEST_CASE("where somebody keeps a list of the sessions with an id, its word counts for those") {
  Vitals vitals(2);
  for (int i = 0; i < 3; ++i)
    vitals.share(0).note_session(SessionKind::kId, kNow, +1);
  vitals.share(1).note_hit(SessionKind::kId, kNow);
  CHECK(vitals.live_sessions(kNow) == 3);
  vitals.note_listed(kNow, 2);
  CHECK(vitals.live_sessions(kNow) == 2);
  CHECK(vitals.sessions(kNow - kLiveSessionBuckets, kNow) == 3);
  // Those of cookies are in no list.
  vitals.share(1).note_session(SessionKind::kCookie, kNow, +1);
  CHECK(vitals.live_sessions(kNow) == 3);
  vitals.note_listed(kNow, 0);
  CHECK(vitals.live_sessions(kNow) == 1);
  // A list that is not kept any more says nothing.
  CHECK(vitals.live_sessions(kNow + 1) == 1);
  CHECK(vitals.live_sessions(kNow + 2) == 4);
}

TEST_CASE("a list without a session is not contradicted by the last hit of one that has ended") {
  Vitals vitals(1);
  vitals.share(0).note_hit(SessionKind::kId, kNow);
  CHECK(vitals.live_sessions(kNow) == 1);
  vitals.note_listed(kNow, 0);
  CHECK(vitals.live_sessions(kNow) == 0);
  vitals.share(0).note_hit(SessionKind::kCookie, kNow);
  CHECK(vitals.live_sessions(kNow) == 1);
  CHECK(vitals.live_sessions(kNow + kHitBuckets) == 1);
}

}  // namespace
}  // namespace limpet
