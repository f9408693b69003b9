// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/replica_book.h"

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

const Instant kNow = monotonic_now();
const WallSeconds kWall{std::chrono::seconds(1'800'000'000)};

ReplicaModel model(const char* id, const char* address, ReplicaState state = ReplicaState::kReady) {
  ReplicaModel made;
  made.id = id;
  made.address = *Address::parse(address);
  made.state = state;
  return made;
}

}  // namespace

TEST_CASE("a replica keeps its vitals over reloads, and what was said of it at run time") {
  ReplicaBook book(2);
  auto first = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  CHECK(first.is_new);
  book.commit_rounds(kNow, kWall);
  first.vitals->admin = AdminState::kDrain;
  first.vitals->health = Health::kDown;
  auto again = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  CHECK_FALSE(again.is_new);
  CHECK(again.vitals == first.vitals);
  book.commit_rounds(kNow, kWall);
  CHECK(again.vitals->admin == AdminState::kDrain);
  CHECK(again.vitals->health == Health::kDown);
}

TEST_CASE("a state that changes in the file beats what was said at run time") {
  ReplicaBook book(1);
  auto entry = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  entry.vitals->admin = AdminState::kDown;
  static_cast<void>(book.enter("web", model("a", "127.0.0.1:1", ReplicaState::kDrain), kWall));
  book.commit_rounds(kNow, kWall);
  CHECK(entry.vitals->admin == AdminState::kDrain);
}

TEST_CASE("the same name at another address is another life") {
  ReplicaBook book(1);
  auto before = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  auto after = book.enter("web", model("a", "127.0.0.1:2"), kWall);
  CHECK(after.is_new);
  CHECK(after.vitals != before.vitals);
  CHECK(after.vitals->last_dead_s == kWall.time_since_epoch().count());
}

TEST_CASE("a replica that vanishes drains while it has sessions, and departs when they are gone") {
  ReplicaBook book(1);
  auto kept = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  auto gone = book.enter("web", model("b", "127.0.0.1:2"), kWall);
  gone.vitals->health = Health::kUp;
  gone.vitals->share(0).sessions.add(session_bucket(kWall), 3);
  book.commit_rounds(kNow, kWall);

  static_cast<void>(book.enter("web", model("a", "127.0.0.1:1"), kWall));
  const auto leaving = book.end_round("web", kNow, kWall, ReplicaBook::Sessions::kKept);
  REQUIRE(leaving.size() == 1);
  CHECK(leaving[0].id == "b");
  CHECK(book.vitals_of("web", "b") == gone.vitals);
  book.commit_rounds(kNow, kWall);
  CHECK(gone.vitals->admin == AdminState::kDrain);
  CHECK_FALSE(book.has_departed(kNow, kWall));

  gone.vitals->share(0).sessions.add(session_bucket(kWall), -3);
  CHECK(book.has_departed(kNow, kWall));
  book.commit_rounds(kNow, kWall);
  CHECK(book.vitals_of("web", "b") == nullptr);
}

TEST_CASE("a vanished replica does not stay for ever, nor where the pool keeps no sessions") {
  ReplicaBook book(1);
  auto entry = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  entry.vitals->share(0).sessions.add(session_bucket(kWall), 1);
  book.commit_rounds(kNow, kWall);
  CHECK(book.end_round("web", kNow, kWall, ReplicaBook::Sessions::kNone).empty());
  CHECK(book.end_round("web", kNow, kWall, ReplicaBook::Sessions::kKept).size() == 1);
  book.commit_rounds(kNow, kWall);
  CHECK(book.has_departed(kNow + ReplicaBook::kGrace, kWall));
}

TEST_CASE("an old session in use holds a vanished replica, though the ledger has forgotten it") {
  ReplicaBook book(2);
  auto entry = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  entry.vitals->health = Health::kUp;
  entry.vitals->share(1).sessions.add(session_bucket(kWall), 1);
  book.commit_rounds(kNow, kWall);

  const auto later = kWall + kSessionBucket * (static_cast<int>(kLiveSessionBuckets) + 1);
  entry.vitals->share(1).note_hit(SessionKind::kCookie, session_bucket(later));
  REQUIRE(book.end_round("web", kNow, later, ReplicaBook::Sessions::kKept).size() == 1);
  book.commit_rounds(kNow, later);
  const auto at_last = later + kSessionBucket * static_cast<int>(kHitBuckets);
  CHECK(entry.vitals->live_sessions(session_bucket(at_last)) == 1);
  CHECK_FALSE(book.has_departed(kNow, at_last));
  CHECK(book.has_departed(kNow, at_last + kSessionBucket));
  CHECK(entry.vitals->live_sessions(session_bucket(at_last + kSessionBucket)) == 0);
  SUBCASE("but not beyond its grace") {
    CHECK(book.has_departed(kNow + ReplicaBook::kGrace, later));
  }
}

TEST_CASE("a dead replica that vanishes leaves at once, whatever sessions it had") {
  ReplicaBook book(1);
  auto entry = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  entry.vitals->share(0).sessions.add(session_bucket(kWall), 3);
  book.commit_rounds(kNow, kWall);
  entry.vitals->health = Health::kDown;
  SUBCASE("with nothing in flight") {
    CHECK(book.end_round("web", kNow, kWall, ReplicaBook::Sessions::kKept).empty());
    book.commit_rounds(kNow, kWall);
    CHECK(book.vitals_of("web", "a") == nullptr);
  }
  SUBCASE("with its last request, which may end before the round is final") {
    entry.vitals->share(0).in_flight = 1;
    REQUIRE(book.end_round("web", kNow, kWall, ReplicaBook::Sessions::kKept).size() == 1);
    entry.vitals->share(0).in_flight = 0;
    book.commit_rounds(kNow, kWall);
    REQUIRE(book.has_departed(kNow, kWall));
    CHECK(book.end_round("web", kNow, kWall, ReplicaBook::Sessions::kKept).empty());
    book.commit_rounds(kNow, kWall);
    CHECK_FALSE(book.has_departed(kNow, kWall));
    CHECK(book.vitals_of("web", "a") == nullptr);
  }
}

TEST_CASE("a replica that comes back while it drains is ready again") {
  ReplicaBook book(1);
  auto entry = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  entry.vitals->share(0).sessions.add(session_bucket(kWall), 1);
  book.commit_rounds(kNow, kWall);
  book.commit_rounds(kNow, kWall);
  CHECK(entry.vitals->admin == AdminState::kDrain);
  auto back = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  CHECK(back.vitals == entry.vitals);
  CHECK(entry.vitals->admin == AdminState::kReady);
}

TEST_CASE("an abandoned round changes nothing") {
  ReplicaBook book(1);
  auto before = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  static_cast<void>(book.enter("web", model("a", "127.0.0.1:9"), kWall));
  static_cast<void>(book.enter("web", model("b", "127.0.0.1:2"), kWall));
  book.abandon_rounds();
  CHECK(book.vitals_of("web", "b") == nullptr);
  auto after = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  CHECK(after.vitals == before.vitals);
  CHECK_FALSE(after.is_new);
}
