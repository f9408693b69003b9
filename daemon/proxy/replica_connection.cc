// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/replica_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/net/socket.h"
#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

ReplicaConnection::ReplicaConnection(WorkerRoom& room, ReplicaSlot& slot, Transport transport,
                                     Stage stage, std::uint32_t way)
    : Connection(room, std::move(transport), Http1Codec(CodecRole::kClient, room.codec_limits())),
      slot_(slot),
      way_(way),
      state_(stage == Stage::kConnecting ? State::kConnecting : State::kLeased) {
  slot_.on_opened();
}

ReplicaConnection::~ReplicaConnection() = default;

void ReplicaConnection::start() {
  watch();
  is_readable_ = true;  // TLS may have read more than the handshake
}

void ReplicaConnection::start_connecting(Duration timeout) {
  is_write_blocked_ = true;
  watch();
  keep_alive_.start(room_.loop().timers(), room_.loop().now(), transport_.descriptor());
  timer_.arm(room_.loop().timers(), deadline_after(room_.loop().now(), timeout));
}

void ReplicaConnection::on_writable() {
  if (state_ != State::kConnecting) return;
  const int reason = connect_result(transport_.descriptor());
  if (reason != 0) {
    fail(reason == ECONNREFUSED ? FailureCause::kConnectRefused : FailureCause::kConnectFailed);
    return;
  }
  state_ = State::kLeased;
  is_write_blocked_ = false;
  timer_.disarm();
  if (lease_ != nullptr) lease_->holder().on_leased();
}

void ReplicaConnection::send_head(const RequestHead& head) {
  state_ = State::kLeased;
  has_answered_ = has_written_ = false;
  http1().write_request_head(head, out_);
}

void ReplicaConnection::enter_tunnel() {
  is_tunnel_ = true;
  http1().enter_tunnel();
  if (!in_.is_empty()) room_.loop().run_soon(*this);
}

void ReplicaConnection::end_writing() {
  flush();
  if (is_all_written()) {
    transport_.end_writing();
  } else {
    ends_after_flush_ = true;
  }
}

void ReplicaConnection::expect_within(Duration timeout, FailureCause otherwise, Counter& counter) {
  silence_allowed_ = timeout;
  silence_means_ = otherwise;
  silence_counter_ = &counter;
  timer_.arm(room_.loop().timers(), deadline_after(room_.loop().now(), timeout));
}

Arena& ReplicaConnection::arena_for(std::uint32_t) {
  // Only a leased connection has asked for a response; the codec refuses any other.
  return lease_ != nullptr ? lease_->holder().arena() : room_.spare_arena();
}

void ReplicaConnection::on_events(StreamEvents& events) {
  for (const StreamEvent& event : events) {
    if (is_closed()) return;
    if (lease_ == nullptr) {
      close();
      return;
    }
    LeaseHolder& holder = lease_->holder();
    switch (event.kind) {
      case StreamEvent::Kind::kInformational:
        holder.on_informational(*event.response);
        break;
      case StreamEvent::Kind::kResponseHead:
        has_answered_ = true;
        holder.on_response_head(*event.response);
        break;
      case StreamEvent::Kind::kBody:
        holder.on_response_body(event.bytes);
        break;
      case StreamEvent::Kind::kTrailers:
        holder.on_response_trailers(*event.trailers);
        break;
      case StreamEvent::Kind::kEnd:
        holder.on_response_end();
        break;
      case StreamEvent::Kind::kFault:
        has_answered_ = true;
        fail(event.fault == Fault::kTruncated ? FailureCause::kTruncated
                                              : FailureCause::kBadResponse);
        return;
      case StreamEvent::Kind::kRequestHead:
      case StreamEvent::Kind::kDrained:
      case StreamEvent::Kind::kGoaway:
      case StreamEvent::Kind::kConcluded:
        break;
    }
  }
  if (lease_ != nullptr) lease_->holder().flush_client();
}

void ReplicaConnection::on_end_of_bytes() {
  if (lease_ == nullptr) {
    close();
    return;
  }
  StreamEvents& events = room_.borrow_events();
  http1().on_end_of_bytes(events);
  const bool says_something = !events.empty();
  // Without its announcement, the end of TLS may be an attacker's (RFC 9112 section 9.8).
  const bool is_cut_off = transport_.ended_without_close_notify() && !is_tunnel_;
  if (says_something && !is_cut_off) on_events(events);
  room_.return_events(events);
  if (says_something && is_cut_off) return fail(FailureCause::kTruncated);
  // The end of a tunnel's or a close-delimited body's bytes is an event; without one the replica
  // left before it answered.
  if (!says_something && !is_closed() && lease_ != nullptr) fail(FailureCause::kReset);
}

void ReplicaConnection::on_broken() {
  if (state_ == State::kConnecting) {
    fail(FailureCause::kConnectFailed);
  } else if (has_answered_) {
    fail(FailureCause::kTruncated);
  } else {
    fail(has_written_ ? FailureCause::kReset : FailureCause::kUnsent);
  }
}

void ReplicaConnection::on_drained() {
  if (std::exchange(ends_after_flush_, false)) transport_.end_writing();
  if (lease_ != nullptr) {
    lease_->holder().on_replica_drained();
  } else if (is_tunnel_) {
    close();
  }
}

void ReplicaConnection::on_progress() {
  if (state_ != State::kLeased) return;
  // A replica that does not take what it is sent is not waited for as long as one that thinks.
  const Duration stall = is_write_blocked_ ? slot_.stall_timeout() : kForever;
  const Duration allowed = stall < silence_allowed_ ? stall : silence_allowed_;
  timer_.arm(room_.loop().timers(), deadline_after(room_.loop().now(), allowed));
}

void ReplicaConnection::on_deadline() {
  switch (state_) {
    case State::kConnecting:
      room_.counters().timeout_connect->add();
      fail(FailureCause::kConnectTimeout);
      return;
    case State::kIdle:
      close();
      return;
    case State::kLeased:
      if (is_write_blocked_) {
        if (is_taking()) {
          on_progress();
          return;
        }
        room_.counters().timeout_response_body->add();
        fail(FailureCause::kBodyTimeout);
        return;
      }
      // A replica that we do not read from cannot be blamed for its silence.
      if (is_paused_) {
        expect_within(silence_allowed_, silence_means_, *silence_counter_);
        return;
      }
      silence_counter_->add();
      fail(silence_means_);
      return;
  }
}

void ReplicaConnection::finish(bool is_request_complete) {
  if (lease_ != nullptr) lease_->cut();
  if (is_tunnel_) return finish_tunnel();
  // Bytes behind the response belong to nobody: such a connection is not trusted with another
  // request (RFC 9112 section 9.3).
  const bool can_carry_more = is_request_complete && http1().keeps_alive() &&
                              http1().has_read_message() && in_.is_empty() && is_all_written() &&
                              !has_ended_ && !is_ending_ && !is_broken_ && !is_write_dead_;
  if (!can_carry_more || !slot_.keeps_connections_of(way_)) {
    close();
    return;
  }
  http1().next_message();
  state_ = State::kIdle;
  is_reused_ = true;
  is_paused_ = false;
  timer_.arm(room_.loop().timers(), deadline_after(room_.loop().now(), idle_time()));
  slot_.keep(*this);
}

// A replica that says when it closes what is unused would close it under a request that comes just
// then, and nobody knows whether that was processed: it is given up before.
Duration ReplicaConnection::idle_time() const noexcept {
  constexpr Duration kMargin = std::chrono::seconds(1);
  const Duration announced = http1().kept_by_peer();
  const Duration own = slot_.idle_timeout();
  if (announced == Duration{0}) return own;
  const Duration safe = announced > 2 * kMargin ? announced - kMargin : announced / 2;
  return safe < own ? safe : own;
}

// What the client said last is the replica's, though neither says anything more.
void ReplicaConnection::finish_tunnel() {
  flush();
  if (is_all_written()) return close();
  ends_after_flush_ = true;
}

void ReplicaConnection::cancel() {
  if (lease_ != nullptr) lease_->cut();
  close();
}

void ReplicaConnection::close_idle() { close(); }

void ReplicaConnection::fail(FailureCause cause) {
  Lease* lease = lease_;
  close();
  if (lease == nullptr) return;
  lease->cut();
  lease->holder().on_attempt_failed(cause);
}

void ReplicaConnection::close() {
  if (is_closed()) return;
  keep_alive_.stop();
  slot_.on_closed(*this);
  ReplicaSide::unlink();
  close_now();
}

}  // namespace limpet
