// SPDX-License-Identifier: Apache-2.0
#pragma once
// Mailbox: the only way to reach another thread's loop. Letters are run there, in order, at its
// next turn. For reloads, drains and questions, never for requests.

#include <functional>
#include <mutex>
#include <vector>

#include "daemon/base/fd.h"
#include "daemon/event/watch.h"

namespace limpet {

class Loop;

/// Letters to one loop.
/// Lifetime: destroyed by the loop's thread, or when that has ended.
class Mailbox final : private Watch::Owner {
 public:
  explicit Mailbox(Loop& loop);

  /// Has `letter` run in the loop's thread.
  /// Thread: any.
  void post(std::function<void()> letter);

 private:
  void on_ready(Readiness ready) override;

  Fd bell_;
  std::mutex mutex_;
  std::vector<std::function<void()>> letters_;
  Watch watch_;
};

}  // namespace limpet
