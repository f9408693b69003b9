// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2ReplicaStream: one request to a replica and its response on a shared HTTP/2 connection, as
// its holder sees them. Neighbours: http2_replica.h is the connection; replica_stream.h the
// interface.

#include <cstdint>
#include <string_view>

#include "daemon/base/list.h"
#include "daemon/event/timer.h"
#include "daemon/proxy/replica_stream.h"
#include "daemon/proxy/stream_table.h"

namespace limpet {

class Http2Replica;

/// One stream.
///
///   leased ──send_head()──► in the table ──response and request done, failure, cancel──► over
///
/// Lives in its holder's arena, which forgets it without a destructor. Borrows: its connection,
/// which tells it before it goes.
class Http2ReplicaStream final : public ReplicaStream,
                                 public StreamNode<Http2ReplicaStream>,
                                 public ListNode<Http2ReplicaStream>,
                                 private Timer::Owner {
 public:
  explicit Http2ReplicaStream(Http2Replica& connection) noexcept;
  ~Http2ReplicaStream();

  // -- from the connection
  [[nodiscard]] LeaseHolder* holder() const noexcept {
    return lease_ == nullptr ? nullptr : &lease_->holder();
  }
  void on_response_head(ResponseHead& head);
  void on_body(std::string_view bytes);
  /// The stream has failed: the holder is told, and the stream is over.
  void fail(FailureCause cause);
  [[nodiscard]] bool has_answered() const noexcept { return has_answered_; }
  /// Something came, or was taken: the wait for the next thing begins again.
  void on_progress();

  [[nodiscard]] bool is_connected() const noexcept override { return true; }
  [[nodiscard]] bool is_reused() const noexcept override { return is_reused_; }
  void send_head(const RequestHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const HeaderList* trailers) override;
  void enter_tunnel() override { is_tunnel_ = true; }
  void end_writing() override { send_end(nullptr); }
  void expect_within(Duration timeout, FailureCause otherwise, Counter& counter) override;
  void finish(bool is_request_complete) override;
  void cancel() override;
  void flush() override;
  [[nodiscard]] std::size_t queued_bytes() const noexcept override;
  void pause_reading() override { is_paused_ = true; }
  void resume_reading() override;

  Http2ReplicaStream* next_touched = nullptr;  ///< the connection's list while it walks events
  bool is_touched = false;
  bool is_failing = false;  ///< in the connection's list of those that could not begin

 private:
  void on_timer(Timer& timer) override;
  void end();
  /// Of the request, what was given has been framed and so has had a window.
  [[nodiscard]] std::uint64_t taken_bytes() const noexcept;

  Http2Replica& connection_;
  Timer timer_;
  Duration silence_allowed_ = kForever;
  Counter* silence_counter_ = nullptr;
  std::size_t uncredited_bytes_ = 0;
  std::uint64_t given_bytes_ = 0;  ///< of the request's body
  // When the timer was armed last.
  std::uint64_t taken_before_ = 0;
  std::size_t queued_before_ = 0;
  FailureCause silence_means_ = FailureCause::kHeadTimeout;
  bool is_reused_ = false;
  bool has_answered_ = false;
  bool is_paused_ = false;
  bool is_upgrade_ = false;
  bool is_tunnel_ = false;
  bool is_over_ = false;
};

}  // namespace limpet
