// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaConnection: the replica's side: dialled for a relay, leased to it, kept for the next one.
// It tells its relay what the replica says and how it fails; what follows from that is the relay's
// business.

#include <cstdint>

#include "daemon/metrics/counter.h"
#include "daemon/module/failure.h"
#include "daemon/proxy/connection.h"
#include "daemon/proxy/lease.h"

namespace limpet {

class ReplicaSlot;

/// One connection to one replica.
///
///   kConnecting ──► kLeased ──response and request done──► kIdle (in the slot's cache) ──► kLeased
///   …
///        │             │                                     │
///        └─────────────┴──── failure, cancel, idle too long ─┴──► closed
class ReplicaConnection final : public Connection,
                                public ListNode<ReplicaConnection, ReplicaSlot>,
                                private HeadHome {
 public:
  ReplicaConnection(WorkerRoom& room, ReplicaSlot& slot, Fd fd);
  ~ReplicaConnection() override;

  /// Ties an idle or a new connection to a relay's lease.
  void lend(Lease& lease) noexcept { lease.tie(*this, lease_); }
  /// Waits for the socket to connect, at most `timeout`; the relay is told.
  void start_connecting(Duration timeout);
  [[nodiscard]] bool is_connected() const noexcept { return state_ != State::kConnecting; }
  /// Whether it has carried an exchange before: it may be stale.
  [[nodiscard]] bool is_reused() const noexcept { return is_reused_; }

  // -- for the relay
  // ---------------------------------------------------------------------------------------

  void send_head(const RequestHead& head);
  void send_body(std::string_view bytes) { queue_body(bytes); }
  void send_end(const HeaderList* trailers) { http1().write_end(trailers, out_); }
  void enter_tunnel();
  /// Ends our half after everything queued.
  void end_writing();
  /// The time within which the replica must say the next thing; its passing is counted in
  /// `counter`.
  void expect_within(Duration timeout, FailureCause otherwise, Counter& counter);
  /// The exchange is over. Keeps the connection for another one if it can carry one, else closes
  /// it.
  void finish(bool is_request_complete);
  /// The exchange is abandoned: closes.
  void cancel();
  /// Nothing of a response has arrived on this connection for the present request.
  [[nodiscard]] bool is_untouched() const noexcept { return !has_answered_; }

  /// Nothing has arrived since the last exchange, not even an end.
  [[nodiscard]] bool is_quiet() const noexcept {
    return !is_readable_ && !is_ending_ && !has_ended_;
  }
  /// The same asked of the kernel, which knows before any edge has told us.
  [[nodiscard]] bool is_silent() const noexcept { return transport_.is_silent(); }
  /// Closes an idle connection (the slot has enough, or the replica left).
  void close_idle();

 private:
  enum class State : std::uint8_t { kConnecting, kLeased, kIdle };

  void on_events(StreamEvents& events) override;
  HeadHome& head_home() override { return *this; }
  Arena& arena_for(std::uint32_t stream) override;
  void on_end_of_bytes() override;
  void on_broken() override;
  void on_drained() override;
  void on_progress() override;
  // A replica that answers early and closes makes our next write fail; its answer is still to be
  // read.
  [[nodiscard]] bool outlives_failed_write() const override {
    return state_ == State::kLeased && has_written_;
  }
  [[nodiscard]] bool wants_input() const override { return state_ != State::kConnecting; }
  void on_writable() override;
  void on_deadline() override;

  void fail(FailureCause cause);
  void close();

  ReplicaSlot& slot_;
  Lease* lease_ = nullptr;
  Duration silence_allowed_ = kForever;
  FailureCause silence_means_ = FailureCause::kHeadTimeout;
  Counter* silence_counter_ = nullptr;
  State state_ = State::kConnecting;
  bool is_reused_ = false;
  bool has_answered_ = false;
  bool ends_after_flush_ = false;
};

}  // namespace limpet
