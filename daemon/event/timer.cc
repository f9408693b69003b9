// SPDX-License-Identifier: Apache-2.0
#include "daemon/event/timer.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace limpet {

namespace {

constexpr std::int64_t tick_of(Instant when) { return when.time_since_epoch() / TimerWheel::kTick; }

}  // namespace

void Timer::move(TimerWheel& wheel) {
  unlink();
  wheel.insert(*this);
}

void Timer::unlink() noexcept {
  if (before_ == nullptr) return;
  *before_ = next_;
  if (next_ != nullptr) next_->before_ = before_;
  next_ = nullptr;
  before_ = nullptr;
}

TimerWheel::~TimerWheel() {
  for (Level* level : {&near_, &far_}) {
    for (std::int64_t slot = 0; slot < kSlots; ++slot) {
      Timer* timer = take(*level, slot);
      while (timer != nullptr) {
        Timer* next = timer->next_;
        timer->next_ = nullptr;
        timer->before_ = nullptr;
        timer = next;
      }
    }
  }
}

void TimerWheel::link(Level& level, std::int64_t slot, Timer& timer) {
  Timer*& head = level.slots[static_cast<std::size_t>(slot)];
  timer.next_ = head;
  timer.before_ = &head;
  if (head != nullptr) head->before_ = &timer.next_;
  head = &timer;
  level.occupied[static_cast<std::size_t>(slot / 64)] |= std::uint64_t{1} << (slot % 64);
}

void TimerWheel::insert(Timer& timer) {
  // Rounded up, so that no timer fires early.
  const std::int64_t due = std::max(tick_of(timer.deadline_) + 1, tick_ + 1);
  if (due - tick_ < kSlots) {
    timer.looked_at_ = Instant((due - 1) * kTick);
    link(near_, due % kSlots, timer);
    return;
  }
  // The far wheel looks at a slot when its first tick comes; what lies beyond its end waits in its
  // last slot.
  const std::int64_t row = std::min(due / kSlots, tick_ / kSlots + kSlots - 1);
  timer.looked_at_ = Instant((row * kSlots - 1) * kTick);
  link(far_, row % kSlots, timer);
}

Timer* TimerWheel::take(Level& level, std::int64_t slot) noexcept {
  level.occupied[static_cast<std::size_t>(slot / 64)] &= ~(std::uint64_t{1} << (slot % 64));
  return std::exchange(level.slots[static_cast<std::size_t>(slot)], nullptr);
}

void TimerWheel::look_at(Level& level, std::int64_t slot, Instant now) {
  Timer* list = take(level, slot);
  if (list != nullptr) list->before_ = &list;
  // Whatever a callback does to other timers of this slot, the list stays whole: they unlink
  // themselves.
  while (list != nullptr) {
    Timer* timer = list;
    timer->unlink();
    if (timer->deadline_ == kNever) continue;
    if (timer->deadline_ > now) {
      insert(*timer);
      continue;
    }
    timer->deadline_ = kNever;
    timer->owner_->on_timer(*timer);
  }
}

void TimerWheel::fire(Instant now) {
  const std::int64_t until = tick_of(now);
  while (tick_ < until) {
    const std::int64_t step = distance_to_occupied(near_, tick_ + 1);
    const std::int64_t row_start = (tick_ / kSlots + 1) * kSlots;
    // The next thing to look at: an occupied slot, the start of a far row, or nothing before
    // `until`.
    const std::int64_t near_tick = step < 0 ? until : tick_ + 1 + step;
    tick_ = std::min({near_tick, row_start, until});
    if (tick_ == row_start) look_at(far_, tick_ / kSlots % kSlots, now);
    look_at(near_, tick_ % kSlots, now);
  }
}

std::int64_t TimerWheel::distance_to_occupied(const Level& level, std::int64_t from) noexcept {
  for (std::int64_t step = 0; step < kSlots;) {
    const std::int64_t slot = (from + step) % kSlots;
    const std::uint64_t word = level.occupied[static_cast<std::size_t>(slot / 64)] >> (slot % 64);
    if (word != 0) {
      const std::int64_t found = step + std::countr_zero(word);
      return found < kSlots ? found : -1;
    }
    step += 64 - slot % 64;
  }
  return -1;
}

Instant TimerWheel::next_look() const noexcept {
  const std::int64_t near_step = distance_to_occupied(near_, tick_ + 1);
  const std::int64_t far_step = distance_to_occupied(far_, tick_ / kSlots + 1);
  if (near_step < 0 && far_step < 0) return kNever;
  std::int64_t tick = INT64_MAX;
  if (near_step >= 0) tick = tick_ + 1 + near_step;
  if (far_step >= 0) tick = std::min(tick, (tick_ / kSlots + 1 + far_step) * kSlots);
  return Instant(tick * kTick);
}

}  // namespace limpet
