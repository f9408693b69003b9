// SPDX-License-Identifier: Apache-2.0
#pragma once
// Doorway: where a client's connection waits until it is known whose it is and what it speaks: the
// PROXY header is read, TLS agreed upon. Then the connection behind it takes over
// (client_connection.h, http2_client.h). Listeners with neither have no doorway.

#include <cstdint>
#include <memory>

#include "daemon/base/fd.h"
#include "daemon/event/loop.h"
#include "daemon/event/timer.h"
#include "daemon/event/watch.h"
#include "daemon/net/tls_session.h"
#include "daemon/proxy/client_side.h"

namespace limpet {

/// One client on its way in.
///
///   kHeader ──PROXY header read──► kHandshake ──done──► handed over
///      └──────── refused, too slow, gone ───┴──► closed
///
/// Thread: its worker. Lifetime: buried when handed over or closed.
class Doorway final : public Mortal, public ClientSide, private Watch::Owner, private Timer::Owner {
 public:
  Doorway(WorkerRoom& room, Fd fd, ClientOrigin origin, const ListenerAtWork& listener);
  ~Doorway() override;

  void start();
  void drain() override { origin_.shall_leave = true; }  // let it come in: it will be told there
  void cut(Ending ending) override;

 private:
  enum class State : std::uint8_t { kHeader, kHandshake };

  void on_ready(Readiness ready) override;
  void on_timer(Timer& timer) override;
  void read_header();
  void begin_handshake();
  void go_on();
  void hand_over();
  void fail_handshake();
  void close();
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

  WorkerRoom& room_;
  Fd fd_;
  ClientOrigin origin_;
  std::unique_ptr<TlsSession> tls_;
  Watch watch_;
  Timer timer_;
  State state_ = State::kHeader;
  bool is_over_ = false;
  bool is_shaking_ = false;  ///< counted among the listener's handshakes
};

}  // namespace limpet
