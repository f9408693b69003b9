// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/saved_replica.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

SavedReplicas sample() {
  SavedReplicas saved;
  saved.when = WallSeconds(std::chrono::seconds(1'800'000'000));
  SavedReplica one;
  one.pool = "web";
  one.id = "a";
  one.address = "127.0.0.1:1";
  one.written = AdminState::kReady;
  one.admin = AdminState::kDrain;
  one.health = Health::kDown;
  one.ejected_until_s = 1'800'000'030;
  one.last_dead_s = 1'799'999'000;
  one.incarnation = ~0ULL;
  one.sessions = {{30'000'000, 7}, {30'000'001, -2}};
  one.sessions_by_id = {{30'000'001, 1}};
  SavedReplica odd;
  odd.pool = "a pool\nof 100%";
  odd.id = "\xc3\xa9 %41";
  odd.address = "unix:/run/a b.sock";
  SavedReplica nameless;
  saved.replicas = {one, odd, nameless};
  return saved;
}

TEST_CASE("what is printed reads back, whatever the names are") {
  const SavedReplicas saved = sample();
  const std::string text = print_saved(saved);
  const auto again = parse_saved(text);
  REQUIRE(again);
  CHECK(again->when == saved.when);
  CHECK(again->replicas == saved.replicas);
}

TEST_CASE("a line has one replica and its words are read by people") {
  const std::string text = print_saved(sample());
  CHECK(text.find("\nweb a 127.0.0.1:1 ready drain down 1800000030 1799999000 18446744073709551615 "
                  "30000000:7,30000001:-2 30000001:1\n") != std::string::npos);
}

TEST_CASE("every text that is not whole is refused with its line") {
  const std::string good = print_saved(sample());
  CHECK_FALSE(parse_saved(""));
  CHECK_FALSE(parse_saved("limpet replicas 2 5\n"));
  CHECK_FALSE(parse_saved("limpet replicas 1 x\n"));
  for (std::size_t length = good.find('\n') + 2; length < good.find('\n', good.find('\n') + 1);
       ++length) {
    const auto cut = parse_saved(good.substr(0, length));
    // A list of sessions may be cut and still be one.
    if (!cut) CHECK(cut.error().text == "line 2 is not of the form");
  }
  for (const char* line : {"web a x ready drain up 1 1 1 -", "web a x ready drain up 1 1 1 - - -",
                           "web a x odd drain up 1 1 1 - -", "web a x ready drain up z 1 1 - -",
                           "web a x ready drain up 1 1 1 1:1, 5",
                           "web a x ready drain up 1 1 1 1 -", "", "\xff\xff"}) {
    const auto read = parse_saved("limpet replicas 1 5\n" + std::string(line) + "\n");
    CHECK_FALSE(read);
  }
}

TEST_CASE("sessions outside the live window are not saved") {
  Vitals vitals(2);
  const std::uint32_t now = 30'000'000;
  vitals.share(0).note_session(SessionKind::kCookie, now, 2);
  vitals.share(1).note_session(SessionKind::kCookie, now, 1);
  vitals.share(1).note_session(SessionKind::kCookie, now - kLiveSessionBuckets, 4);
  vitals.share(1).note_session(SessionKind::kCookie, now - kLiveSessionBuckets - 1, 9);
  CHECK(saved_sessions(vitals, &WorkerShare::sessions, now) ==
        SavedSessions{{now - kLiveSessionBuckets, 4}, {now, 3}});
  CHECK(saved_sessions(vitals, &WorkerShare::sessions_by_id, now).empty());
}

}  // namespace
}  // namespace limpet
