// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Connection: what both sides of HTTP/2 share: frames are made from what the streams queued
// once a turn, and written at once; the connection ends when the codec says so. Neighbours:
// http2_client.h, http2_replica.h.

#include <cstdint>

#include "daemon/proxy/connection.h"
#include "daemon/proxy/proxy_counters.h"

namespace limpet {

/// One HTTP/2 connection.
///
///   read ──► feed ──► events ──► streams' relays ──► queues ──(end of the turn)──► one write
class Http2Connection : public Connection {
 public:
  /// Something of this connection waits to be sent at the end of the turn.
  void mark_dirty() {
    is_dirty_ = true;
    room_loop_soon();
  }
  /// What a stream has queued, and what the socket has not taken while it is blocked.
  [[nodiscard]] std::size_t queued_bytes_of(std::uint32_t stream) const noexcept {
    return http2().queued_bytes(stream) + (is_write_blocked_ ? out_.size() : 0);
  }
  [[nodiscard]] Buffer& out() noexcept { return out_; }
  [[nodiscard]] Http2Codec& codec() noexcept { return http2(); }
  /// Whether the socket takes nothing at the moment.
  [[nodiscard]] bool is_blocked() const noexcept { return is_write_blocked_; }

 protected:
  Http2Connection(WorkerRoom& room, Transport transport, CodecRole role);
  ~Http2Connection() override;

  /// Everything queued on a stream has been framed.
  virtual void on_stream_drained(std::uint32_t stream) = 0;
  /// Once a turn in which something was asked for, before frames are made.
  virtual void on_turn_end() {}
  /// The connection is of no more use: nothing is read any more, what waits is still written.
  virtual void on_concluded() {}
  /// The last bytes of a concluded connection are written.
  virtual void on_over() = 0;

  void on_errand() override;
  void on_fed() override { mark_dirty(); }
  void on_drained() override;
  [[nodiscard]] bool wants_input() const override { return !is_concluding_; }
  /// The codec said that the connection is of no more use.
  void conclude();
  /// Counts what happened on the connection since the last call.
  void count();

  bool is_concluding_ = false;
  bool has_said_all_ = false;  ///< nothing is written any more

 private:
  void room_loop_soon();
  void collect();
  [[nodiscard]] ProxyCounters::Http2Side& side() noexcept;

  std::uint32_t streams_counted_ = 0;
  CodecRole role_;
  bool is_dirty_ = false;
};

}  // namespace limpet
