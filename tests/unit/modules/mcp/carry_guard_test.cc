// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/carry_guard.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

using Kind = CarryTurn::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

struct Waiting final : CarryWaiter {
  void on_carried(CarryEnd end) noexcept override {
    ++told;
    how = end;
  }
  int told = 0;
  CarryEnd how = CarryEnd::kOff;
};

TEST_CASE("one leads, the others wait for what comes of it") {
  CarryGuard guard({});
  Waiting first;
  Waiting second;
  CHECK(guard.ask("s", nullptr, kStart).kind == Kind::kLead);
  CHECK(guard.ask("s", &first, kStart).kind == Kind::kFollow);
  CHECK(guard.ask("s", &first, kStart).kind == Kind::kFollow);
  CHECK(guard.ask("s", &second, kStart).kind == Kind::kFollow);
  CHECK(guard.ask("other", nullptr, kStart).kind == Kind::kLead);
  CHECK(guard.in_flight() == 2);
  guard.leave("s", second);
  guard.end("s", CarryEnd::kCarried);
  CHECK(first.told == 1);
  CHECK(first.how == CarryEnd::kCarried);
  CHECK(second.told == 0);
  CHECK(guard.ask("s", nullptr, kStart).kind == Kind::kLead);
}

TEST_CASE("a leader that does not come back is succeeded, and its followers are told then") {
  CarryBounds bounds;
  bounds.flight_max = seconds(5);
  CarryGuard guard(bounds);
  Waiting waiter;
  static_cast<void>(guard.ask("s", nullptr, kStart));
  const CarryTurn turn = guard.ask("s", &waiter, kStart);
  CHECK(turn.begin == kStart + seconds(5));
  CHECK(guard.ask("s", nullptr, kStart + seconds(5)).kind == Kind::kLead);
  guard.end("s", CarryEnd::kFailed);
  CHECK(waiter.told == 1);
}

TEST_CASE("a mass death is spread over time, and what would wait too long is refused") {
  CarryBounds bounds;
  bounds.per_second = 100;
  bounds.wait_max = seconds(2);
  CarryGuard guard(bounds);
  int at_once = 0;
  int later = 0;
  int refused = 0;
  Instant last = kStart;
  for (int i = 0; i < 1000; ++i) {
    const CarryTurn turn = guard.ask("s" + std::to_string(i), nullptr, kStart);
    if (turn.kind == Kind::kRefuse) {
      ++refused;
      CHECK(turn.begin > kStart);
      continue;
    }
    CHECK(turn.begin >= last);
    last = turn.begin;
    ++(turn.begin == kStart ? at_once : later);
  }
  CHECK(at_once == 25);
  CHECK(later == 200);
  CHECK(refused == 775);
  CHECK(last == kStart + seconds(2));
  CHECK(guard.ask("late", nullptr, kStart + seconds(1)).begin ==
        kStart + seconds(2) + milliseconds(10));
}

TEST_CASE("without a limit everybody begins at once") {
  CarryBounds bounds;
  bounds.per_second = 0;
  CarryGuard guard(bounds);
  for (int i = 0; i < 1000; ++i)
    CHECK(guard.ask(std::to_string(i), nullptr, kStart).begin == kStart);
}

TEST_CASE("every end has a name of its own") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kCarryEnds; ++i)
    names.insert(name_of(static_cast<CarryEnd>(i)));
  CHECK(names.size() == kCarryEnds);
}

}  // namespace
}  // namespace limpet::mcp
