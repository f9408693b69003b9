// SPDX-License-Identifier: Apache-2.0
#include "daemon/event/loop.h"

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sys/socket.h>

#include "daemon/base/fd.h"
#include "daemon/event/mailbox.h"
#include "daemon/event/watch.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

struct Told final : Watch::Owner {
  void on_ready(Readiness ready) override {
    last = ready;
    ++times;
  }
  Readiness last;
  int times = 0;
};

std::array<Fd, 2> socket_pair() {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

struct Counting : Errand {
  explicit Counting(Loop& loop) : loop_(loop) {}
  void on_errand() override {
    ++runs;
    if (again) loop_.run_soon(*this);
  }
  Loop& loop_;
  int runs = 0;
  bool again = false;
};

}  // namespace

TEST_CASE("an edge is told once, and again only when more arrives") {
  Loop loop;
  auto [here, there] = socket_pair();
  Told told;
  Watch watch(told);
  watch.start(loop, here.number(), Watch::Trigger::kEdgeBoth);
  REQUIRE(::write(there.number(), "x", 1) == 1);
  loop.turn();
  CHECK(told.last.is_readable());
  const int before = told.times;
  Counting errand(loop);  // keeps the next turn from waiting
  loop.run_soon(errand);
  loop.turn();
  CHECK(told.times == before);
  REQUIRE(::write(there.number(), "y", 1) == 1);
  loop.turn();
  CHECK(told.times == before + 1);
}

TEST_CASE("the end of the other half is told together with the bytes before it") {
  Loop loop;
  auto [here, there] = socket_pair();
  Told told;
  Watch watch(told);
  REQUIRE(::write(there.number(), "x", 1) == 1);
  there.reset();
  watch.start(loop, here.number(), Watch::Trigger::kEdgeBoth);
  loop.turn();
  CHECK(told.last.is_readable());
  CHECK(told.last.is_ending());
}

TEST_CASE("an errand runs once per asking, and one that asks again waits for the next turn") {
  Loop loop;
  Counting errand(loop);
  errand.again = true;
  loop.run_soon(errand);
  loop.run_soon(errand);
  loop.turn();
  CHECK(errand.runs == 1);
  errand.again = false;
  loop.turn();
  CHECK(errand.runs == 2);
}

TEST_CASE("a destroyed errand is not run") {
  Loop loop;
  Counting last(loop);
  {
    Counting gone(loop);
    loop.run_soon(gone);
    loop.run_soon(last);
  }
  loop.turn();
  CHECK(last.runs == 1);
}

TEST_CASE("what is buried lives until the end of the turn") {
  struct Remains : Mortal {
    explicit Remains(bool& flag) : gone(flag) {}
    ~Remains() override { gone = true; }
    bool& gone;
  };
  Loop loop;
  bool gone = false;
  loop.bury(std::make_unique<Remains>(gone));
  CHECK_FALSE(gone);
  Counting errand(loop);
  loop.run_soon(errand);
  loop.turn();
  CHECK(gone);
}

TEST_CASE("a letter from another thread is run by the loop, in order") {
  Loop loop;
  Mailbox mailbox(loop);
  std::vector<int> read;
  std::thread sender([&] {
    for (int i = 0; i < 100; ++i) {
      mailbox.post([&, i] {
        read.push_back(i);
        if (i == 99) loop.stop();
      });
    }
  });
  loop.run();
  sender.join();
  REQUIRE(read.size() == 100);
  for (int i = 0; i < 100; ++i)
    CHECK(read[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a timer wakes the loop that nothing else wakes") {
  struct Stopper final : Timer::Owner {
    explicit Stopper(Loop& which) : loop(which) {}
    void on_timer(Timer&) override { loop.stop(); }
    Loop& loop;
  };
  Loop loop;
  Stopper stopper(loop);
  Timer timer(stopper);
  timer.arm(loop.timers(), loop.now() + std::chrono::milliseconds(30));
  loop.run();
  CHECK_FALSE(timer.is_armed());
}
