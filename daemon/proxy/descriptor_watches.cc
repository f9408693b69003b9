// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/descriptor_watches.h"

#include "daemon/event/timer.h"
#include "daemon/event/watch.h"

namespace limpet {

namespace {

class WatchAtWork final : public DescriptorWatch, private Watch::Owner, private Timer::Owner {
 public:
  WatchAtWork(Loop& loop, LoopWatches::Callbacks& callbacks, DescriptorWatch::Owner& owner)
      : loop_(loop), callbacks_(callbacks), owner_(owner), watch_(*this), timer_(*this) {}

  void start(int descriptor) override {
    watch_.stop();
    watch_.start(loop_, descriptor, Watch::Trigger::kEdgeBoth);
  }
  void stop() noexcept override { watch_.stop(); }
  void set_alarm(Instant at) override {
    if (at == kNever) {
      timer_.disarm();
    } else {
      timer_.arm(loop_.timers(), at);
    }
  }

 private:
  void on_ready(Readiness) override {
    LoopWatches::Callbacks& callbacks = callbacks_;
    owner_.on_edge();
    callbacks.after_owner();
  }
  void on_timer(Timer&) override {
    LoopWatches::Callbacks& callbacks = callbacks_;
    owner_.on_alarm();
    callbacks.after_owner();
  }

  Loop& loop_;
  LoopWatches::Callbacks& callbacks_;
  DescriptorWatch::Owner& owner_;
  Watch watch_;
  Timer timer_;
};

}  // namespace

std::unique_ptr<DescriptorWatch> LoopWatches::make(DescriptorWatch::Owner& owner) {
  return std::make_unique<WatchAtWork>(loop_, callbacks_, owner);
}

}  // namespace limpet
