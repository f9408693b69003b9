// SPDX-License-Identifier: Apache-2.0
#include "daemon/event/signal.h"

#include <utility>

#include <event2/event.h>

#include "daemon/base/check.h"
#include "daemon/event/loop.h"

namespace limpet {

struct SignalTrampolines {
  static void on_signal(int, short, void* self) noexcept {
    auto* watch = static_cast<SignalWatch*>(self);
    watch->loop_.on_woken();
    watch->on_signal_();
  }
};

SignalWatch::SignalWatch(Loop& loop, int signal_number, std::function<void()> on_signal)
    : loop_(loop),
      on_signal_(std::move(on_signal)),
      event_(evsignal_new(loop.base(), signal_number, SignalTrampolines::on_signal, this)) {
  CHECK_THAT(event_ != nullptr && event_add(event_, nullptr) == 0);
}

SignalWatch::~SignalWatch() { event_free(event_); }

}  // namespace limpet
