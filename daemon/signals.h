// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signals: which thread gets them. The main thread's loop does (event/signal.h); every other thread
// is started while they are blocked.

#include <csignal>

#include <pthread.h>

namespace limpet {

/// Blocks every signal on this thread, and so on the threads it starts, until destroyed.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace limpet
