// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaStream: what its holder sees of a replica, whatever the version: one request to write, one
// response to read. An HTTP/1 connection is its own only stream (replica_connection.h); an HTTP/2
// connection has many (http2_replica_stream.h); before there is a connection, a place in a dial
// (dialler.h) stands for it.

#include <cstddef>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/http/message.h"
#include "daemon/metrics/counter.h"
#include "daemon/module/failure.h"
#include "daemon/proxy/lease.h"

namespace limpet {

/// One request to a replica, and its response. What the replica says and how it fails is told to
/// the holder of its lease.
class ReplicaStream {
 public:
  ReplicaStream() = default;
  ReplicaStream(const ReplicaStream&) = delete;
  ReplicaStream& operator=(const ReplicaStream&) = delete;

  /// Ties this stream to a holder's lease.
  void lend(Lease& lease) noexcept { lease.tie(*this, lease_); }
  /// Whether a request may be sent; otherwise the holder hears on_leased().
  [[nodiscard]] virtual bool is_connected() const noexcept = 0;
  /// Whether the connection has carried an exchange before: it may be stale.
  [[nodiscard]] virtual bool is_reused() const noexcept = 0;

  virtual void send_head(const RequestHead& head) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const HeaderList* trailers) = 0;
  virtual void enter_tunnel() = 0;
  /// Ends our half after everything queued.
  virtual void end_writing() = 0;
  /// The time within which the replica must say the next thing; its passing is counted in
  /// `counter`.
  virtual void expect_within(Duration timeout, FailureCause otherwise, Counter& counter) = 0;
  /// The exchange is over. The connection is kept for another one where it can carry one.
  virtual void finish(bool is_request_complete) = 0;
  /// The exchange is abandoned.
  virtual void cancel() = 0;

  /// Sends what is queued, at once or at the end of the turn.
  virtual void flush() = 0;
  [[nodiscard]] virtual std::size_t queued_bytes() const noexcept = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;

 protected:
  ~ReplicaStream() {
    if (lease_ != nullptr) lease_->cut();
  }

  Lease* lease_ = nullptr;
};

}  // namespace limpet
