// SPDX-License-Identifier: Apache-2.0
#pragma once
// Dialler: a connection to a replica on its way: connecting, a PROXY header, TLS, and for HTTP/2
// the replica's settings. Those who wait for it have a place in it; when it is there, they get
// streams of the connection that takes over (replica_connection.h, http2_replica.h). Plain HTTP/1
// connections dial themselves.

#include <cstdint>
#include <memory>

#include "daemon/base/buffer.h"
#include "daemon/base/fd.h"
#include "daemon/base/list.h"
#include "daemon/event/loop.h"
#include "daemon/event/timer.h"
#include "daemon/event/watch.h"
#include "daemon/net/transport.h"
#include "daemon/proxy/http2_replica.h"
#include "daemon/proxy/replica_side.h"
#include "daemon/proxy/replica_stream.h"

namespace limpet {

class Dialler;
class ReplicaSlot;

/// A place in a dial: what stands for a stream until there is one.
/// Lives in its holder's arena; the holder cancels before it dies.
class DialPlace final : public ReplicaStream, public ListNode<DialPlace> {
 public:
  [[nodiscard]] bool is_connected() const noexcept override { return false; }
  [[nodiscard]] bool is_reused() const noexcept override { return false; }
  void send_head(const RequestHead&) override {}
  void send_body(std::string_view) override {}
  void send_end(const HeaderList*) override {}
  void enter_tunnel() override {}
  void end_writing() override {}
  void expect_within(Duration, FailureCause, Counter&) override {}
  void finish(bool) override { cancel(); }
  void cancel() override {
    if (lease_ != nullptr) lease_->cut();
    unlink();
  }
  void flush() override {}
  [[nodiscard]] std::size_t queued_bytes() const noexcept override { return 0; }
  void pause_reading() override {}
  void resume_reading() override {}

 private:
  friend class Dialler;
  [[nodiscard]] Lease* lease() const noexcept { return lease_; }
};

/// One dial.
///
///   kConnecting ──► kHandshake (TLS) ──► kGreeting (HTTP/2) ──► handed over
///        └──────────────┴── failure, too slow ──┴──► every place fails
///
/// Thread: its worker. Lifetime: buried when over.
class Dialler final : public Mortal,
                      public ReplicaSide,
                      private Watch::Owner,
                      private Timer::Owner,
                      private Http2Replica::Greeter {
 public:
  /// Whether what comes of it may be shared.
  using Sharing = Http2Replica::Sharing;

  Dialler(WorkerRoom& room, ReplicaSlot& slot, Fd fd, Sharing sharing);
  ~Dialler() override;

  /// Sends `bytes` when connected, before anything else.
  void send_first(std::string_view bytes) { first_.append(bytes); }
  void start(Duration timeout);
  /// Waits for the connection, or for a stream of it.
  void join(Lease& lease);
  void drop() override;

 private:
  enum class State : std::uint8_t { kConnecting, kHandshake, kGreeting, kOver };

  void on_ready(Readiness ready) override;
  void on_timer(Timer& timer) override;
  void on_greeted(Http2Replica& connection) override;
  void on_greeting_failed(FailureCause cause) override;

  void on_connected();
  bool send_rest_of_first();
  void begin_handshake();
  void go_on();
  [[nodiscard]] Transport take_transport();
  void hand_over(bool is_http2);
  void hand_over_http1();
  void fail(FailureCause cause);
  void end();

  WorkerRoom& room_;
  ReplicaSlot& slot_;
  Fd fd_;
  std::unique_ptr<TlsSession> tls_;
  Buffer first_;
  Watch watch_;
  Timer timer_;
  List<DialPlace> places_;
  Http2Replica* greeting_ = nullptr;
  std::uint32_t way_;  ///< the slot's, at the beginning
  Sharing sharing_;
  State state_ = State::kConnecting;
};

}  // namespace limpet
