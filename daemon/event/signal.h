// SPDX-License-Identifier: Apache-2.0
#pragma once
// SignalWatch: one signal as an event of the loop. For the main thread's loop only; workers block
// signals.

#include <functional>
#include <memory>

struct event;

namespace limpet {

class Loop;

/// Calls `on_signal` in the loop when the signal arrives.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal_number, std::function<void()> on_signal);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

 private:
  friend struct SignalTrampolines;
  Loop& loop_;
  std::function<void()> on_signal_;
  ::event* event_;
};

}  // namespace limpet
