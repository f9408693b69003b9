// SPDX-License-Identifier: Apache-2.0
#pragma once
// WaitingRoom: relays of one pool and worker that wait for room on a replica, in order of arrival.
// It asks them again when this worker freed something, and every few milliseconds, since other
// workers and the prober free things too.

#include <cstddef>
#include <string>

#include "daemon/base/list.h"
#include "daemon/event/loop.h"
#include "daemon/event/timer.h"
#include "daemon/metrics/counter.h"
#include "daemon/proxy/relay.h"

namespace limpet {

/// The queue of one pool in one worker.
/// Borrows: its relays. Bound: Choice::queue_max of the pool's balance module.
class WaitingRoom final : private Errand, private Timer::Owner {
 public:
  WaitingRoom(WorkerRoom& room, const std::string& pool);

  void join(Relay& relay);
  void leave(Relay& relay) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// A replica of this pool has room again.
  void on_room();
  /// There is a new configuration.
  void on_reload();

 private:
  void on_errand() override;
  void on_timer(Timer& timer) override;
  void ask_again();

  WorkerRoom& room_;
  List<Relay> relays_;
  std::size_t size_ = 0;
  Gauge* gauge_;
  Timer timer_;
};

}  // namespace limpet
