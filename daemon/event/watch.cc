// SPDX-License-Identifier: Apache-2.0
#include "daemon/event/watch.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/base/check.h"
#include "daemon/event/loop.h"

namespace limpet {

struct WatchTrampolines {
  static void on_event(int, short what, void* self) noexcept {
    auto* watch = static_cast<Watch*>(self);
    watch->loop_->on_woken();
    static_assert(Readiness::kReadable == EV_READ && Readiness::kWritable == EV_WRITE &&
                  Readiness::kEnding == EV_CLOSED);
    watch->owner_->on_ready(Readiness(static_cast<unsigned>(what)));
  }
};

void Watch::start(Loop& loop, int descriptor, Trigger trigger) {
  static_assert(sizeof(::event) <= kEventBytes && alignof(::event) <= 8);
  stop();
  loop_ = &loop;
  auto* place = reinterpret_cast<::event*>(event_);
  const int what = trigger == Trigger::kEdgeBoth
                       ? EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST
                       : EV_READ | EV_PERSIST;
  CHECK_THAT(event_assign(place, loop.base(), descriptor, static_cast<short>(what),
                          WatchTrampolines::on_event, this) == 0);
  CHECK_THAT(event_add(place, nullptr) == 0);
}

void Watch::stop() noexcept {
  if (loop_ == nullptr) return;
  event_del(reinterpret_cast<::event*>(event_));
  loop_ = nullptr;
}

}  // namespace limpet
