// SPDX-License-Identifier: Apache-2.0
#include "daemon/event/loop.h"

#include <algorithm>
#include <utility>

#include <event2/event.h>

#include "daemon/base/check.h"

namespace limpet {

struct LoopTrampolines {
  static void on_wake_up(int, short, void* self) noexcept {
    static_cast<Loop*>(self)->armed_ = kNever;
  }
};

namespace {

// Every event of a turn shares one reading of the clock; the coarse clock is exact enough for the
// wall.
WallSeconds wall_seconds() {
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace

Loop::Loop() : now_(monotonic_now()), wall_now_(wall_seconds()), timers_(now_), busy_since_(now_) {
  ::event_config* config = event_config_new();
  // No locks: each loop belongs to one thread, and others reach it through a Mailbox only.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  CHECK_THAT(base_ != nullptr);
  wake_up_ = event_new(base_, -1, 0, LoopTrampolines::on_wake_up, this);
  CHECK_THAT(wake_up_ != nullptr);
}

Loop::~Loop() {
  empty_graveyard();
  event_free(wake_up_);
  event_base_free(base_);
}

void Loop::run() {
  while (!is_stopping_)
    turn();
}

void Loop::on_woken() {
  if (is_woken_) return;
  is_woken_ = true;
  now_ = monotonic_now();
  wall_now_ = wall_seconds();
  if (observer_ != nullptr) observer_->on_turn(now_, wall_now_);
}

void Loop::arm_wake_up() {
  const Instant next = timers_.next_look();
  if (next >= armed_) return;  // woken early, the loop arms again
  armed_ = next;
  const Duration wait =
      std::max(next - monotonic_now(), Duration::zero()) + std::chrono::microseconds(1);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(wait - seconds);
  const timeval after{.tv_sec = seconds.count(), .tv_usec = rest.count()};
  CHECK_THAT(event_add(wake_up_, &after) == 0);
}

void Loop::turn() {
  arm_wake_up();
  is_woken_ = false;
  const Instant slept = monotonic_now();
  busy_ += slept - now_;
  const int flags = EVLOOP_ONCE | ((errands_.after_ == &errands_) ? 0 : EVLOOP_NONBLOCK);
  event_base_loop(base_, flags);
  on_woken();
  timers_.fire(now_);
  run_errands();
  empty_graveyard();
  turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Loop::empty_graveyard() {
  while (!graveyard_.empty()) {
    burying_.swap(graveyard_);
    burying_.clear();
  }
}

void Loop::run_soon(Errand& errand) {
  if (errand.before_ != nullptr) return;
  errand.before_ = errands_.before_;
  errand.after_ = &errands_;
  errands_.before_->after_ = &errand;
  errands_.before_ = &errand;
}

void Loop::run_errands() {
  // A marker ends the round: what asks again while it runs is run in the next turn, after the
  // others had theirs.
  run_soon(round_end_);
  while (errands_.after_ != &round_end_) {
    Errand* errand = errands_.after_;
    errand->forget();
    errand->on_errand();
  }
  round_end_.forget();
}

double Loop::take_busy_ratio() noexcept {
  const Instant now = monotonic_now();
  const auto span = static_cast<double>((now - busy_since_).count());
  const double ratio = span <= 0 ? 0 : static_cast<double>(busy_.count()) / span;
  busy_since_ = now;
  busy_ = Duration{0};
  return ratio > 1 ? 1 : ratio;
}

}  // namespace limpet
