// SPDX-License-Identifier: Apache-2.0
#include "daemon/event/timer.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/base/random.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

struct Recorder final : Timer::Owner {
  void on_timer(Timer& timer) override {
    fired.push_back(&timer);
    if (then) then(timer);
  }
  std::vector<Timer*> fired;
  std::function<void(Timer&)> then;
};

const Instant kStart = monotonic_now();

}  // namespace

TEST_CASE("a timer fires at its deadline or up to one tick later, never before") {
  TimerWheel wheel(kStart);
  Recorder owner;
  Timer timer(owner);
  timer.arm(wheel, kStart + std::chrono::milliseconds(500));
  for (Instant now = kStart; now < kStart + std::chrono::milliseconds(500);
       now += std::chrono::milliseconds(1)) {
    wheel.fire(now);
    REQUIRE(owner.fired.empty());
  }
  wheel.fire(kStart + std::chrono::milliseconds(500) + 2 * TimerWheel::kTick);
  CHECK(owner.fired.size() == 1);
  CHECK_FALSE(timer.is_armed());
}

TEST_CASE("arming later than armed keeps the place and still fires at the later time") {
  TimerWheel wheel(kStart);
  Recorder owner;
  Timer timer(owner);
  timer.arm(wheel, kStart + std::chrono::seconds(1));
  timer.arm(wheel, kStart + std::chrono::seconds(3));
  wheel.fire(kStart + std::chrono::seconds(2));
  CHECK(owner.fired.empty());
  wheel.fire(kStart + std::chrono::milliseconds(3100));
  CHECK(owner.fired.size() == 1);
}

TEST_CASE("arming earlier than armed fires at the earlier time") {
  TimerWheel wheel(kStart);
  Recorder owner;
  Timer timer(owner);
  timer.arm(wheel, kStart + std::chrono::hours(5));
  timer.arm(wheel, kStart + std::chrono::milliseconds(50));
  wheel.fire(kStart + std::chrono::milliseconds(100));
  CHECK(owner.fired.size() == 1);
}

TEST_CASE("a disarmed timer does not fire, and a destroyed one leaves the wheel") {
  TimerWheel wheel(kStart);
  Recorder owner;
  Timer disarmed(owner);
  auto destroyed = std::make_unique<Timer>(owner);
  disarmed.arm(wheel, kStart + std::chrono::seconds(1));
  destroyed->arm(wheel, kStart + std::chrono::seconds(1));
  disarmed.disarm();
  destroyed.reset();
  wheel.fire(kStart + std::chrono::seconds(10));
  CHECK(owner.fired.empty());
}

TEST_CASE("a callback may destroy the timer that fires behind it in the same slot") {
  TimerWheel wheel(kStart);
  Recorder owner;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 4; ++i) {
    timers.push_back(std::make_unique<Timer>(owner));
    timers.back()->arm(wheel, kStart + std::chrono::milliseconds(20));
  }
  owner.then = [&](Timer&) {
    owner.then = nullptr;
    timers.clear();
  };
  wheel.fire(kStart + std::chrono::seconds(1));
  CHECK(owner.fired.size() == 1);
}

TEST_CASE("next_look is no later than the first deadline and never in a busy loop") {
  TimerWheel wheel(kStart);
  Recorder owner;
  CHECK(wheel.next_look() == kNever);
  Timer timer(owner);
  const Instant due = kStart + std::chrono::minutes(3);
  timer.arm(wheel, due);
  int looks = 0;
  Instant now = kStart;
  while (owner.fired.empty()) {
    const Instant next = wheel.next_look();
    REQUIRE(next != kNever);
    REQUIRE(next > now - TimerWheel::kTick);
    now = std::max(now, next);
    wheel.fire(now);
    REQUIRE(++looks < 20);
  }
  CHECK(now >= due);
  CHECK(now <= due + 3 * TimerWheel::kTick);
}

TEST_CASE("many timers at random deadlines each fire once, in the tick they are due") {
  TimerWheel wheel(kStart);
  Random random(7);
  Instant now = kStart;
  struct Due final : Timer::Owner {
    explicit Due(const Instant& clock) : now(clock) {}
    void on_timer(Timer&) override { fired_at = now; }
    const Instant& now;
    Instant fired_at = kNever;
  };
  std::vector<std::unique_ptr<Due>> owners;
  std::vector<std::unique_ptr<Timer>> timers;
  std::vector<Instant> deadlines;
  for (int i = 0; i < 2000; ++i) {
    owners.push_back(std::make_unique<Due>(now));
    timers.push_back(std::make_unique<Timer>(*owners.back()));
    deadlines.push_back(kStart + std::chrono::milliseconds(random.below(2'000'000)));
    timers.back()->arm(wheel, deadlines.back());
  }
  while (wheel.next_look() != kNever) {
    now = std::max(now, wheel.next_look());
    wheel.fire(now);
  }
  for (std::size_t i = 0; i < owners.size(); ++i) {
    REQUIRE(owners[i]->fired_at >= deadlines[i]);
    REQUIRE(owners[i]->fired_at <= deadlines[i] + 3 * TimerWheel::kTick);
  }
}
