// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timer: a deadline that is a member of what it guards, and TimerWheel, which fires them. Arming
// later than armed is a store: the timer stays in its slot, and is put right when the slot comes
// round. So a connection that is busy never touches the wheel.

#include <array>
#include <cstdint>

#include "daemon/base/clock.h"

namespace limpet {

class TimerWheel;

/// A deadline told to its owner.
/// Lifetime: a member of its owner; leaves the wheel when destroyed.
class Timer {
 public:
  struct Owner {
    virtual void on_timer(Timer& timer) = 0;

   protected:
    ~Owner() = default;
  };

  explicit Timer(Owner& owner) noexcept : owner_(&owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { unlink(); }

  /// Fires at `deadline` or up to one tick later, in place of any earlier arming. kNever disarms.
  void arm(TimerWheel& wheel, Instant deadline) {
    deadline_ = deadline;
    // Already looked at early enough: the wheel puts it right then.
    if (deadline == kNever || (before_ != nullptr && looked_at_ <= deadline)) [[likely]]
      return;
    move(wheel);
  }
  /// Forgets the deadline; the place in the wheel, if any, goes when its slot comes round.
  void disarm() noexcept { deadline_ = kNever; }
  /// Forgets the deadline and leaves the wheel at once: its memory may go without a destructor.
  void leave() noexcept {
    deadline_ = kNever;
    unlink();
  }
  [[nodiscard]] bool is_armed() const noexcept { return deadline_ != kNever; }
  [[nodiscard]] Instant deadline() const noexcept { return deadline_; }

 private:
  friend class TimerWheel;
  void unlink() noexcept;
  void move(TimerWheel& wheel);

  Timer* next_ = nullptr;
  Timer** before_ = nullptr;  ///< what points to this timer; null = not in the wheel
  Owner* owner_;
  Instant deadline_ = kNever;
  Instant
      looked_at_{};  ///< no deadline from here on is missed by the wheel, which looks a tick later
};

/// All timers of one loop: two wheels of 256 slots, 16 ms and about 4 s wide.
class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(16);
  static constexpr std::int64_t kSlots = 256;

  /// A wheel whose time begins at `now`; deadlines before it are due at the first fire().
  explicit TimerWheel(Instant now) noexcept : tick_(now.time_since_epoch() / kTick) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  /// Tells every timer due at `now`. A timer may re-arm, disarm or destroy any timer, itself
  /// included.
  void fire(Instant now);
  /// When fire() has something to look at next; kNever with no timers.
  /// Cost: at most eight words looked at.
  [[nodiscard]] Instant next_look() const noexcept;

 private:
  friend class Timer;
  struct Level {
    std::array<Timer*, kSlots> slots{};
    std::array<std::uint64_t, kSlots / 64> occupied{};
  };
  void insert(Timer& timer);
  void link(Level& level, std::int64_t slot, Timer& timer);
  [[nodiscard]] Timer* take(Level& level, std::int64_t slot) noexcept;
  static std::int64_t distance_to_occupied(const Level& level, std::int64_t from) noexcept;
  void look_at(Level& level, std::int64_t slot, Instant now);

  Level near_;
  Level far_;
  std::int64_t tick_;  ///< the last tick looked at
};

}  // namespace limpet
