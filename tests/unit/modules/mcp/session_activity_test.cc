// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_activity.h"

#include <doctest/doctest.h>

using namespace limpet;
using namespace limpet::mcp;

namespace {
const Instant kStart = Instant{} + std::chrono::hours(1);
}

TEST_CASE("session activity: one thing running is not shared, two are, and an end ends one") {
  SessionStore store{StoreBounds{}};
  SessionActivity activity(store);
  CHECK_FALSE(activity.is_shared("id"));
  CHECK(activity.begin("id", Doing::kCall, kStart));
  CHECK(activity.is_busy("id"));
  CHECK_FALSE(activity.is_shared("id"));
  CHECK_FALSE(activity.begin("id", Doing::kStream, kStart));
  CHECK(activity.is_shared("id"));
  activity.end("id", Doing::kCall, kStart);
  CHECK_FALSE(activity.is_shared("id"));
  CHECK(activity.open_streams() == 1);
}

TEST_CASE("session activity: a session with an open stream is never idle for the store") {
  SessionStore store{StoreBounds{}};
  SessionActivity activity(store);
  CHECK(store.keep("busy", SessionRecord{}, kStart) == Keeping::kKept);
  CHECK(store.keep("idle", SessionRecord{}, kStart) == Keeping::kKept);
  activity.begin("busy", Doing::kStream, kStart);
  const Instant later = kStart + std::chrono::minutes(10);
  activity.tell(later);
  const auto idle = store.idle_since(later, std::chrono::minutes(5), 10);
  REQUIRE(idle.size() == 1);
  CHECK(idle[0].id == "idle");
}
