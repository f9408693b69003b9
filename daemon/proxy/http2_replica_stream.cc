// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/http2_replica_stream.h"

#include <algorithm>
#include <utility>

#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/http2_replica.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

Http2ReplicaStream::Http2ReplicaStream(Http2Replica& connection) noexcept
    : connection_(connection), timer_(*this), is_reused_(connection.has_carried()) {}

Http2ReplicaStream::~Http2ReplicaStream() = default;

// The request
// ----------------------------------------------------------------------------------------------------

void Http2ReplicaStream::send_head(const RequestHead& head) {
  // A replica that does not know extended CONNECT cannot be asked for a WebSocket (RFC 8441
  // section 3).
  is_upgrade_ = !head.upgrade.empty();
  const bool is_possible = !is_upgrade_ || connection_.codec().allows_connect_protocol();
  const std::uint32_t number = is_possible ? connection_.codec().write_request(head) : 0;
  if (number == 0) {
    connection_.fail_soon(*this);
    return;
  }
  connection_.add(*this, number);
  connection_.mark_dirty();
}

void Http2ReplicaStream::send_body(std::string_view bytes) {
  if (!is_in_table()) return;
  connection_.codec().write_body(number(), bytes, connection_.out());
  connection_.mark_dirty();
  given_bytes_ += bytes.size();
  // A replica that takes all there is of a slow request is not the one that is silent.
  if (queued_bytes() == 0) on_progress();
}

void Http2ReplicaStream::send_end(const HeaderList* trailers) {
  // A request for a tunnel has no end but the tunnel's.
  if (!is_in_table() || (is_upgrade_ && !is_tunnel_)) return;
  connection_.codec().write_end(number(), trailers);
  connection_.mark_dirty();
}

void Http2ReplicaStream::flush() {
  if (!is_over_) connection_.mark_dirty();
}

std::size_t Http2ReplicaStream::queued_bytes() const noexcept {
  return is_in_table() ? connection_.queued_bytes_of(number()) : 0;
}

// The response
// ---------------------------------------------------------------------------------------------------

void Http2ReplicaStream::on_response_head(ResponseHead& head) {
  has_answered_ = true;
  lease_->holder().on_response_head(head);
}

void Http2ReplicaStream::on_body(std::string_view bytes) {
  uncredited_bytes_ += bytes.size();
  lease_->holder().on_response_body(bytes);
  if (!is_paused_) resume_reading();
}

void Http2ReplicaStream::resume_reading() {
  is_paused_ = false;
  if (uncredited_bytes_ == 0 || !is_in_table()) return;
  connection_.codec().credit(number(), std::exchange(uncredited_bytes_, 0));
  connection_.mark_dirty();
}

// Time
// -----------------------------------------------------------------------------------------------------------

void Http2ReplicaStream::expect_within(Duration timeout, FailureCause otherwise, Counter& counter) {
  silence_allowed_ = timeout;
  silence_means_ = otherwise;
  silence_counter_ = &counter;
  on_progress();
}

void Http2ReplicaStream::on_progress() {
  if (is_over_ || silence_counter_ == nullptr) return;
  taken_before_ = taken_bytes();
  queued_before_ = queued_bytes();
  const Duration allowed = queued_before_ > 0
                               ? std::min(silence_allowed_, connection_.slot().stall_timeout())
                               : silence_allowed_;
  Loop& loop = connection_.room().loop();
  timer_.arm(loop.timers(), deadline_after(loop.now(), allowed));
}

std::uint64_t Http2ReplicaStream::taken_bytes() const noexcept {
  return is_in_table() ? given_bytes_ - connection_.codec().queued_bytes(number()) : 0;
}

void Http2ReplicaStream::on_timer(Timer&) {
  WorkerRoom& room = connection_.room();
  const std::size_t queued = queued_bytes();
  // A replica that takes what it is sent, or that we do not read from, cannot be blamed for its
  // silence.
  if (is_paused_ || queued < queued_before_ || taken_bytes() > taken_before_) {
    on_progress();
  } else if (queued > 0) {
    room.counters().timeout_response_body->add();
    fail(FailureCause::kBodyTimeout);
  } else {
    silence_counter_->add();
    fail(silence_means_);
  }
  room.after_callback();
}

// Its ends
// -------------------------------------------------------------------------------------------------------

void Http2ReplicaStream::end() {
  is_over_ = true;
  timer_.leave();
  if (lease_ != nullptr) lease_->cut();
  connection_.on_stream_over(*this);
}

void Http2ReplicaStream::finish(bool is_request_complete) {
  if (is_over_) return;
  if (is_in_table() && !is_request_complete) {
    connection_.codec().reset(number(), Http2Error::kCancel);
    connection_.mark_dirty();
  } else if (is_in_table() && is_upgrade_) {
    connection_.codec().write_end(number(), nullptr);
    connection_.mark_dirty();
  }
  end();
}

void Http2ReplicaStream::cancel() {
  if (is_over_) return;
  if (is_in_table()) {
    connection_.codec().reset(number(), Http2Error::kCancel);
    connection_.mark_dirty();
  }
  end();
}

void Http2ReplicaStream::fail(FailureCause cause) {
  if (is_over_) return;
  LeaseHolder* who = holder();
  cancel();
  if (who != nullptr) who->on_attempt_failed(cause);
}

}  // namespace limpet
