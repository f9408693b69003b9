// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_store.h"

#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "modules/mcp/session_activity.h"

namespace limpet::mcp {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

SessionRecord record_on(const std::string& replica, std::size_t body_bytes = 10) {
  auto birth = std::make_shared<SessionBirth>();
  birth->initialize = std::string(body_bytes, 'x');
  birth->server.protocol_version = "2025-11-25";
  SessionRecord record;
  record.birth = birth;
  record.home = {replica, "original", {}, 0, 0};
  return record;
}

TEST_CASE("idle sessions are counted out of a replica that is left, and in where they go on") {
  using std::chrono::seconds;
  SessionStore store(StoreBounds{});
  store.keep("busy", record_on("a"), kStart);
  store.keep("idle", record_on("a"), kStart);
  store.keep("gone", record_on("a"), kStart);
  store.keep("other", record_on("b"), kStart);
  store.meet("met", record_on("a").home, kStart);  // cannot be carried over
  const Instant later = kStart + seconds(60);
  store.touch("busy", later);
  CHECK(store.count_on("a") == 4);
  CHECK(store.release_idle("a", later, seconds(30)) == 2);
  CHECK(store.release_idle("a", later, seconds(30)) == 0);
  CHECK(store.count_on("a") == 2);
  CHECK(store.count_on("b") == 1);

  // Carried over by its next request.
  CHECK(store.find("idle", later).has_value());
  CHECK(store.count_on("a") == 3);
  CHECK(store.move("idle", record_on("b").home, later) == Keeping::kKept);
  CHECK(store.count_on("a") == 2);
  CHECK(store.count_on("b") == 2);
  store.bury("gone", later);
  CHECK(store.count_on("a") == 2);
  store.bury("idle", later);
  CHECK(store.count_on("b") == 1);

  // The replica stays after all.
  const Instant much_later = later + seconds(60);
  CHECK(store.release_idle("a", much_later, seconds(30)) == 1);
  CHECK(store.count_on("a") == 1);
  store.take_back("a");
  store.take_back("a");
  CHECK(store.count_on("a") == 2);
}

TEST_CASE("a session is remembered with what the client sets") {
  SessionStore store({});
  CHECK(store.keep("s", record_on("a"), kStart) == Keeping::kKept);
  CHECK(store.set_level("s", "debug") == Keeping::kKept);
  CHECK(store.subscribe("s", "u1") == Keeping::kKept);
  CHECK(store.subscribe("s", "u1") == Keeping::kKept);
  CHECK(store.subscribe("s", "u2") == Keeping::kKept);
  CHECK(store.unsubscribe("s", "u1") == Keeping::kKept);
  const auto found = store.find("s", kStart);
  REQUIRE(found);
  CHECK(found->level == "debug");
  CHECK(found->subscriptions == std::vector<std::string>{"u2"});
  CHECK(store.home_of("s", kStart)->replica == "a");
  CHECK(store.home_of("s", kStart)->moves == 0);
  CHECK_FALSE(store.home_of("other", kStart));
  CHECK(store.set_level("other", "debug") == Keeping::kUnknown);
}

TEST_CASE("a session that was opened elsewhere is counted, and not taken for one that is known") {
  SessionStore store({});
  store.meet("s", {"a", "o", {}, 0, 0}, kStart);
  CHECK(store.count_on("a") == 1);
  CHECK_FALSE(store.knows_birth("s"));
  REQUIRE(store.idle_since(kStart + minutes(1), minutes(1), 9).size() == 1);
  CHECK(store.idle_since(kStart + minutes(1), minutes(1), 9).front().was_met_only);
  store.keep("s", record_on("a"), kStart);
  CHECK(store.knows_birth("s"));
  store.meet("s", {"b", "o2", {}, 0, 0}, kStart + minutes(1));
  CHECK(store.knows_birth("s"));
  CHECK(store.count_on("a") == 1);
  CHECK(store.count_on("b") == 0);
  CHECK(store.idle_since(kStart + minutes(1), minutes(1), 9).empty());
  store.bury("s", kStart);
  store.meet("s", {"a", "o", {}, 0, 0}, kStart);
  CHECK(store.count_on("a") == 0);
}

TEST_CASE("after a move the client's first id leads to the new home, however often it moves") {
  SessionStore store({});
  store.keep("s", record_on("a"), kStart);
  CHECK(store.move("s", {"b", "o2", {}, 0, 0}, kStart) == Keeping::kKept);
  CHECK(store.home_of("s", kStart)->original_id == "o2");
  CHECK(store.move("s", {"c", "o3", {}, 0, 0}, kStart) == Keeping::kKept);
  const auto found = store.find("s", kStart);
  CHECK(found->home.original_id == "o3");
  CHECK(found->home.moves == 2);
}

TEST_CASE("an ended session stays ended for its time, and does not come back meanwhile") {
  StoreBounds bounds;
  bounds.tombstone_time = minutes(10);
  SessionStore store(bounds);
  store.keep("s", record_on("a"), kStart);
  store.bury("s", kStart);
  CHECK_FALSE(store.find("s", kStart));
  CHECK(store.is_buried("s", kStart + minutes(9)));
  CHECK(store.keep("s", record_on("a"), kStart + minutes(9)) == Keeping::kBuried);
  CHECK(store.move("s", {"b", "o", {}, 0, 0}, kStart + minutes(9)) == Keeping::kBuried);
  CHECK_FALSE(store.is_buried("s", kStart + minutes(10)));
  CHECK(store.keep("s", record_on("a"), kStart + minutes(10)) == Keeping::kKept);
  CHECK(store.counts().tombstones == 0);
}

TEST_CASE("buried twice counts from the second time") {
  StoreBounds bounds;
  bounds.tombstone_time = minutes(10);
  SessionStore store(bounds);
  store.bury("s", kStart);
  store.bury("s", kStart + minutes(5));
  CHECK(store.is_buried("s", kStart + minutes(14)));
  CHECK_FALSE(store.is_buried("s", kStart + minutes(15)));
}

TEST_CASE("records make room, the longest unused first, and are counted") {
  StoreBounds bounds;
  bounds.records_max = 16;  // one a shard
  SessionStore store(bounds);
  for (int i = 0; i < 200; ++i)
    store.keep("s" + std::to_string(i), record_on("a"), kStart + seconds(i));
  const StoreCounts counts = store.counts();
  CHECK(counts.records <= 16);
  CHECK(counts.evicted == 200 - counts.records);
  CHECK(store.find("s199", kStart).has_value());
}

TEST_CASE("memory is bounded for one record and for all") {
  StoreBounds bounds;
  bounds.record_bytes_max = 2000;
  bounds.bytes_max = 16 * 8000;
  bounds.subscriptions_max = 2;
  SessionStore store(bounds);
  CHECK(store.keep("large", record_on("a", 3000), kStart) == Keeping::kTooLarge);
  for (int i = 0; i < 300; ++i)
    store.keep("s" + std::to_string(i), record_on("a", 1000), kStart);
  CHECK(store.counts().bytes <= bounds.bytes_max);
  CHECK(store.counts().evicted > 0);
  CHECK(store.subscribe("s299", std::string(5000, 'u')) == Keeping::kTooLarge);
  CHECK(store.subscribe("s299", "1") == Keeping::kKept);
  CHECK(store.subscribe("s299", "2") == Keeping::kKept);
  CHECK(store.subscribe("s299", "3") == Keeping::kTooLarge);
  CHECK(store.counts().too_large == 3);
  const std::uint64_t before = store.counts().bytes;
  store.forget("s299");
  CHECK(store.counts().bytes < before);
}

TEST_CASE("tombstones are bounded too") {
  StoreBounds bounds;
  bounds.tombstones_max = 16;
  SessionStore store(bounds);
  for (int i = 0; i < 100; ++i)
    store.bury("s" + std::to_string(i), kStart);
  CHECK(store.counts().tombstones <= 16);
  CHECK(store.counts().tombstones_evicted > 0);
}

TEST_CASE("only what nobody uses is idle") {
  SessionStore store({});
  SessionActivity activity(store);
  store.keep("idle", record_on("a"), kStart);
  store.keep("stream", record_on("a"), kStart);
  store.keep("call", record_on("b"), kStart);
  activity.begin("stream", Doing::kStream, kStart);
  activity.begin("call", Doing::kCall, kStart);
  CHECK(activity.is_busy("stream"));
  CHECK(activity.open_streams() == 1);
  activity.end("call", Doing::kCall, kStart + minutes(1));
  CHECK(activity.running_calls() == 0);
  activity.tell(kStart + minutes(2));
  CHECK(activity.size() == 1);

  auto idle = store.idle_since(kStart + minutes(30), minutes(30), 10);
  REQUIRE(idle.size() == 1);
  CHECK(idle[0].id == "idle");
  CHECK(idle[0].protocol_version == "2025-11-25");
  CHECK_FALSE(idle[0].had_credential);

  activity.tell(kStart + minutes(33));
  idle = store.idle_since(kStart + minutes(33), minutes(30), 10);
  CHECK(idle.size() == 2);
  CHECK(store.idle_since(kStart + minutes(33), minutes(30), 1).size() == 1);
  activity.end("stream", Doing::kStream, kStart + minutes(34));
  activity.tell(kStart + minutes(34));
  CHECK(activity.size() == 0);
}

TEST_CASE("the sessions of a replica are found, for migrating them") {
  SessionStore store({});
  for (int i = 0; i < 20; ++i)
    store.keep("s" + std::to_string(i), record_on(i % 2 == 0 ? "a" : "b"), kStart);
  CHECK(store.living_on("a", 100).size() == 10);
  CHECK(store.living_on("a", 3).size() == 3);
  CHECK(store.living_on("c", 3).empty());
  CHECK(store.living()["a"] == 10);
}

TEST_CASE("workers share it") {
  StoreBounds bounds;
  bounds.records_max = 200;
  SessionStore store(bounds);
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&store, w] {
      for (int i = 0; i < 2000; ++i) {
        const std::string id = "s" + std::to_string((i * 7 + w) % 300);
        store.keep(id, record_on("a"), kStart);
        static_cast<void>(store.find(id, kStart));
        static_cast<void>(store.subscribe(id, "u" + std::to_string(w)));
        if (i % 5 == 0) store.bury(id, kStart);
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();
  CHECK(store.counts().records <= 300);
  std::uint64_t buried = 0;
  for (int i = 0; i < 300; ++i)
    buried += store.is_buried("s" + std::to_string(i), kStart) ? 1U : 0U;
  CHECK(buried == store.counts().tombstones);
}

}  // namespace
}  // namespace limpet::mcp
