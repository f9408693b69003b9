// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_activity.h"

#include <string>

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
  CHECK(activity.begin("id", Doing::kCall, kStart).is_new);
  CHECK(activity.is_busy("id"));
  CHECK_FALSE(activity.is_shared("id"));
  CHECK_FALSE(activity.begin("id", Doing::kStream, kStart).is_new);
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

TEST_CASE("session activity: what begin() gave ends one thing, whatever else came and went") {
  SessionStore store{StoreBounds{}};
  SessionActivity activity(store);
  SessionActivity::Use* use = activity.begin("id", Doing::kCall, kStart).use;
  REQUIRE(use != nullptr);
  for (int i = 0; i < 1000; ++i)
    activity.begin("other " + std::to_string(i), Doing::kStream, kStart);
  activity.tell(kStart + SessionActivity::kTellEvery);
  CHECK(activity.begin("id", Doing::kStream, kStart).use == use);
  CHECK(activity.is_shared("id"));
  activity.end(*use, Doing::kCall);
  CHECK_FALSE(activity.is_shared("id"));
  CHECK(activity.is_busy("id"));
  CHECK(activity.running_calls() == 0);
  activity.end(*use, Doing::kStream);
  CHECK_FALSE(activity.is_busy("id"));
  CHECK(activity.open_streams() == 1000);
}

TEST_CASE("session activity: what is too many is counted, and has nothing to be ended by") {
  SessionStore store{StoreBounds{}};
  SessionActivity activity(store);
  for (std::size_t i = 0; i < SessionActivity::kSessionsMax; ++i)
    REQUIRE(activity.begin(std::to_string(i), Doing::kCall, kStart).use != nullptr);
  CHECK(activity.begin("one more", Doing::kCall, kStart).use == nullptr);
  CHECK(activity.running_calls() == SessionActivity::kSessionsMax + 1);
  activity.end("one more", Doing::kCall, kStart);
  CHECK(activity.running_calls() == SessionActivity::kSessionsMax);
  CHECK(activity.size() == SessionActivity::kSessionsMax);
}
