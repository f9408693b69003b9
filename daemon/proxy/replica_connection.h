// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaConnection: the replica's side in HTTP/1: dialled for a holder, leased to it, kept for the
// next one. It tells its holder what the replica says and how it fails; what follows from that is
// the holder's business. Neighbours: http2_replica.h is the other version; dialler.h comes before
// both where there is TLS.

#include <cstdint>

#include "daemon/metrics/counter.h"
#include "daemon/module/failure.h"
#include "daemon/net/keep_alive.h"
#include "daemon/proxy/connection.h"
#include "daemon/proxy/replica_side.h"
#include "daemon/proxy/replica_stream.h"

namespace limpet {

class ReplicaSlot;

/// One connection to one replica.
///
///   kConnecting ──► kLeased ──response and request done──► kIdle (in the slot's cache) ──► kLeased
///   …
///        │             │                                     │
///        └─────────────┴──── failure, cancel, idle too long ─┴──► closed
class ReplicaConnection final : public Connection,
                                public ReplicaSide,
                                public ReplicaStream,
                                public ListNode<ReplicaConnection, ReplicaSlot> {
 public:
  /// How far the transport has come.
  enum class Stage : std::uint8_t { kConnecting, kConnected };
  /// `way`: the slot's, when it was dialled.
  ReplicaConnection(WorkerRoom& room, ReplicaSlot& slot, Transport transport, Stage stage,
                    std::uint32_t way);
  ~ReplicaConnection() override;

  /// Waits for the socket to connect, at most `timeout`; the holder is told.
  void start_connecting(Duration timeout);
  /// Begins to read: the transport was connected by a dialler.
  void start();
  /// Sends `bytes` before the first request (a PROXY header).
  void send_preamble(std::string_view bytes) { out_.append(bytes); }

  [[nodiscard]] bool is_connected() const noexcept override { return state_ != State::kConnecting; }
  [[nodiscard]] bool is_reused() const noexcept override { return is_reused_; }
  void send_head(const RequestHead& head) override;
  void send_body(std::string_view bytes) override { queue_body(bytes); }
  void send_end(const HeaderList* trailers) override { http1().write_end(trailers, out_); }
  void enter_tunnel() override;
  void end_writing() override;
  void expect_within(Duration timeout, FailureCause otherwise, Counter& counter) override;
  void finish(bool is_request_complete) override;
  void cancel() override;
  void flush() override { write_out(); }
  [[nodiscard]] std::size_t queued_bytes() const noexcept override { return out_.size(); }
  void pause_reading() override { pause(); }
  void resume_reading() override { resume(); }
  void drop() override { cancel(); }

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

  void finish_tunnel();
  [[nodiscard]] Duration idle_time() const noexcept;
  void fail(FailureCause cause);
  void close();

  ReplicaSlot& slot_;
  KeepAlive keep_alive_;
  Duration silence_allowed_ = kForever;
  FailureCause silence_means_ = FailureCause::kHeadTimeout;
  Counter* silence_counter_ = nullptr;
  std::uint32_t way_;
  State state_ = State::kConnecting;
  bool is_reused_ = false;
  bool has_answered_ = false;
  bool is_tunnel_ = false;
  bool ends_after_flush_ = false;
};

}  // namespace limpet
