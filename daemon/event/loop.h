// SPDX-License-Identifier: Apache-2.0
#pragma once
// Loop: one thread's turns. A turn waits for readiness, tells the owners, runs what asked to be run
// again, fires timers, then flushes and buries. libevent's home together with watch, signal and
// mailbox: no libevent type leaves this folder. Not a thread: whoever calls run() lends one.

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/event/timer.h"

struct event;
struct event_base;

namespace limpet {

/// Something whose destruction waits for the end of the turn in which it was marked.
struct Mortal {
  virtual ~Mortal() = default;
};

/// Something that wants a call before the loop sleeps: a read stopped half-way, a connection with
/// bytes to flush. Lifetime: takes itself off the list when destroyed.
class Errand {
 public:
  Errand() = default;
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

 protected:
  virtual ~Errand() { forget(); }
  [[nodiscard]] bool is_waiting() const noexcept { return before_ != nullptr; }

 private:
  friend class Loop;
  virtual void on_errand() = 0;
  void forget() noexcept {
    if (before_ == nullptr) return;
    before_->after_ = after_;
    after_->before_ = before_;
    before_ = after_ = nullptr;
  }
  Errand* before_ = nullptr;
  Errand* after_ = nullptr;
};

/// One thread's event loop.
/// Owns: the event base, the timers, the graveyard.
class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Turns until stop() was called.
  void run();
  /// One turn: waits at most until the next timer, or not at all when there are errands.
  void turn();
  void stop() noexcept { is_stopping_ = true; }

  /// The monotonic time at which this turn woke.
  [[nodiscard]] Instant now() const noexcept { return now_; }
  [[nodiscard]] WallSeconds wall_now() const noexcept { return wall_now_; }
  [[nodiscard]] TimerWheel& timers() noexcept { return timers_; }

  /// Runs `errand` once, at the end of this turn or in the next one. Asking twice is asking once.
  void run_soon(Errand& errand);
  /// Keeps `remains` until the turn is over, then destroys it: no object dies under its own
  /// callback.
  void bury(std::unique_ptr<Mortal> remains) { graveyard_.push_back(std::move(remains)); }

  /// Destroys what is buried, at once; for the owner of what it would need otherwise.
  void empty_graveyard();

  /// Called at the beginning of each turn, after waking.
  struct TurnObserver {
    virtual ~TurnObserver() = default;
    virtual void on_turn(Instant now, WallSeconds wall) = 0;
  };
  void observe(TurnObserver* observer) noexcept { observer_ = observer; }
  /// The share of time spent outside waiting since the last call, 0 to 1; for the busy metric.
  [[nodiscard]] double take_busy_ratio() noexcept;
  /// Ticks at each turn, for watchdogs. Thread: any.
  [[nodiscard]] std::uint64_t turns() const noexcept {
    return turns_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] ::event_base* base() const noexcept {
    return base_;
  }  ///< for this folder's other files only

 private:
  friend struct LoopTrampolines;
  friend struct WatchTrampolines;
  friend struct SignalTrampolines;
  void arm_wake_up();
  void run_errands();
  void on_woken();  // reads the clock at the first callback of a turn

  ::event_base* base_;
  ::event* wake_up_;
  Instant now_;
  WallSeconds wall_now_;
  Instant armed_ = kNever;
  TimerWheel timers_;
  /// The head of a ring of errands.
  struct Ring : Errand {
    Ring() { before_ = after_ = this; }
    void on_errand() override {}
  };
  struct Marker : Errand {
    void on_errand() override {}
  };
  Ring errands_;
  Marker round_end_;
  std::vector<std::unique_ptr<Mortal>> graveyard_;
  std::vector<std::unique_ptr<Mortal>> burying_;
  TurnObserver* observer_ = nullptr;
  Duration busy_{0};
  Instant busy_since_;
  std::atomic<std::uint64_t> turns_{0};
  bool is_woken_ = false;
  bool is_stopping_ = false;
};

}  // namespace limpet
