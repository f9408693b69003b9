// SPDX-License-Identifier: Apache-2.0
#pragma once
// Listener: one listening socket of one worker, and ListenerAtWork: what its connections share. It
// accepts while there is room and stops accepting, instead of accepting and closing, when there is
// not.

#include <memory>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/fd.h"
#include "daemon/event/timer.h"
#include "daemon/event/watch.h"
#include "daemon/http/forwarded.h"
#include "daemon/metrics/counter.h"
#include "daemon/proxy/snapshot.h"

namespace limpet {

class WorkerRoom;

/// One listener of the configuration, in one worker; kept by name across reloads.
struct ListenerAtWork final : AddressPredicate {
  std::string name;
  std::vector<Network> trusted;
  Gauge* open = nullptr;
  Counter* opened = nullptr;

  [[nodiscard]] bool trusts(const Address& peer) const;
  [[nodiscard]] bool contains(std::string_view address) const override;
};

/// One listening socket.
/// Owns: the descriptor. Thread: its worker.
class Listener final : private Watch::Owner, private Timer::Owner {
 public:
  Listener(WorkerRoom& room, const ListenerAtWork& at_work, std::string bind, Fd fd);

  void start();
  /// Its connections are that listener's from now on.
  void serve(const ListenerAtWork& at_work) noexcept { at_work_ = &at_work; }
  /// Takes what waits in the kernel's queue, before the socket is closed.
  void accept_rest();
  /// Stops asking the kernel for connections; they wait in its queue.
  void pause() { watch_.stop(); }
  [[nodiscard]] const std::string& bind() const noexcept { return bind_; }

 private:
  void on_ready(Readiness ready) override;
  void on_timer(Timer& timer) override;
  bool accept_one();

  WorkerRoom& room_;
  const ListenerAtWork* at_work_;
  std::string bind_;
  Fd fd_;
  Watch watch_;
  Timer timer_;  ///< after running out of descriptors
};

}  // namespace limpet
