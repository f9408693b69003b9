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

namespace {

// What a later process makes of a book.
struct NextProcess {
  explicit NextProcess(const ReplicaBook& before, WallSeconds now) : book(2), wall(now) {
    auto saved = parse_saved(print_saved(before.to_save(kNow, kWall)));
    REQUIRE(saved);
    book.recall(std::move(*saved));
  }
  ReplicaBook::Entry enter(const ReplicaModel& replica) {
    auto entry = book.enter("web", replica, wall);
    book.commit_rounds(kNow, wall);
    return entry;
  }
  ReplicaBook book;
  WallSeconds wall;
};

}  // namespace

TEST_CASE("what is known of a replica outlives the process") {
  ReplicaBook book(2);
  auto before = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  Vitals& vitals = *before.vitals;
  vitals.admin = AdminState::kDrain;
  vitals.health = Health::kDown;
  vitals.incarnation = 0x0123456789abcdefU;
  vitals.note_death(kWall - std::chrono::seconds(100));
  vitals.ejected_until_ns = (kNow + std::chrono::seconds(20)).time_since_epoch().count();
  const std::uint32_t bucket = session_bucket(kWall);
  vitals.share(0).note_session(SessionKind::kCookie, bucket, 5);
  vitals.share(1).note_session(SessionKind::kCookie, bucket, -1);
  vitals.share(1).note_session(SessionKind::kId, bucket - 3, 2);

  NextProcess next(book, kWall + std::chrono::seconds(10));
  const auto after = next.enter(model("a", "127.0.0.1:1"));
  CHECK(after.is_new);
  CHECK(after.was_down);
  CHECK(after.vitals->admin == AdminState::kDrain);
  CHECK(after.vitals->incarnation == 0x0123456789abcdefU);
  CHECK(after.vitals->last_dead_s ==
        (kWall - std::chrono::seconds(100)).time_since_epoch().count());
  CHECK(after.vitals->is_ejected(monotonic_now()));
  CHECK_FALSE(after.vitals->is_ejected(monotonic_now() + std::chrono::seconds(12)));
  CHECK(after.vitals->live_sessions(bucket) == 6);
  CHECK(after.vitals->sessions(bucket, bucket) == 4);
}

TEST_CASE("a state that changed in the file while no process ran beats what was said before") {
  ReplicaBook book(1);
  auto before = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  before.vitals->admin = AdminState::kDown;
  NextProcess next(book, kWall);
  CHECK(next.enter(model("a", "127.0.0.1:1", ReplicaState::kDrain)).vitals->admin ==
        AdminState::kDrain);
}

TEST_CASE("the same name at another address is another life after a restart too") {
  ReplicaBook book(1);
  auto before = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  before.vitals->admin = AdminState::kDrain;
  before.vitals->health = Health::kDown;
  NextProcess next(book, kWall + std::chrono::seconds(5));
  const auto after = next.enter(model("a", "127.0.0.1:2"));
  CHECK(after.vitals->last_dead_s == next.wall.time_since_epoch().count());
  CHECK(after.vitals->admin == AdminState::kReady);
  CHECK_FALSE(after.was_down);
}

TEST_CASE("health of long ago is not believed, and replicas that left are not kept") {
  ReplicaBook book(1);
  auto before = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  before.vitals->health = Health::kDown;
  NextProcess next(book, kWall + ReplicaBook::kHealthHolds);
  CHECK_FALSE(next.enter(model("a", "127.0.0.1:1")).was_down);
  book.commit_rounds(kNow, kWall);  // a round without it
  CHECK(book.to_save(kNow, kWall).replicas.empty());
}

TEST_CASE("only the first configuration is asked about an earlier process") {
  ReplicaBook book(1);
  auto before = book.enter("web", model("a", "127.0.0.1:1"), kWall);
  book.commit_rounds(kNow, kWall);
  before.vitals->admin = AdminState::kDown;
  NextProcess next(book, kWall);
  next.enter(model("b", "127.0.0.1:9"));
  CHECK(next.enter(model("a", "127.0.0.1:1")).vitals->admin == AdminState::kReady);
}
