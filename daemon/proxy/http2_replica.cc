// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/http2_replica.h"

#include <algorithm>
#include <utility>

#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

// A replica that says nothing for so long is asked for a sign of life, and given up when none
// comes.
constexpr std::chrono::seconds kPingAfter{15};
constexpr std::chrono::seconds kPingPatience{5};
// After a sign of life and nothing else: servers of gRPC end connections that ask more than twice
// in less than five minutes without having been sent anything.
constexpr std::chrono::minutes kPingAgainAfter{6};

// Where the replica has begun to answer, its failure is a cut response.
FailureCause fitting(FailureCause cause, const Http2ReplicaStream& stream) noexcept {
  const bool is_loss = cause == FailureCause::kReset || cause == FailureCause::kUnsent;
  return is_loss && stream.has_answered() ? FailureCause::kTruncated : cause;
}

}  // namespace

Http2Replica::Http2Replica(WorkerRoom& room, ReplicaSlot& slot, Transport transport,
                           Sharing sharing)
    : Http2Connection(room, std::move(transport), CodecRole::kClient),
      slot_(slot),
      sharing_(sharing) {
  slot_.on_opened();
}

Http2Replica::~Http2Replica() = default;

void Http2Replica::start(Greeter& greeter) {
  greeter_ = &greeter;
  watch();
  is_readable_ = true;
  mark_dirty();
}

bool Http2Replica::has_room() const noexcept {
  return state_ == State::kReady && !is_broken_ && !is_concluding_ && http2().takes_streams() &&
         std::max(streams_.size(), http2().streams_open()) + begun_count_ <
             http2().streams_allowed();
}

void Http2Replica::open(Lease& lease) {
  Arena& arena = lease.holder().arena();
  auto* stream = new (arena.allocate(sizeof(Http2ReplicaStream))) Http2ReplicaStream(*this);
  begun_.push_back(*stream);
  ++begun_count_;
  has_carried_ = true;
  stream->lend(lease);
}

void Http2Replica::add(Http2ReplicaStream& stream, std::uint32_t number) {
  ListNode<Http2ReplicaStream>& node = stream;
  node.unlink();
  --begun_count_;
  streams_.add(stream, number);
}

void Http2Replica::fail_soon(Http2ReplicaStream& stream) {
  ListNode<Http2ReplicaStream>& node = stream;
  node.unlink();
  --begun_count_;
  failing_.push_back(stream);
  stream.is_failing = true;
  mark_dirty();
}

// Streams end by themselves, by their holders or with the connection; each comes here once.
void Http2Replica::on_stream_over(Http2ReplicaStream& stream) {
  ListNode<Http2ReplicaStream>& node = stream;
  if (stream.is_in_table()) {
    streams_.remove(stream);
  } else if (node.is_linked()) {
    const bool was_failing = stream.is_failing;
    node.unlink();
    if (!was_failing) --begun_count_;
  }
  if (is_unused()) unused_since_ = room_.loop().now();
  mark_dirty();
}

// Events
// ---------------------------------------------------------------------------------------------------------

Arena& Http2Replica::arena_for(std::uint32_t number) {
  const Http2ReplicaStream* stream = streams_.find(number);
  LeaseHolder* holder = stream == nullptr ? nullptr : stream->holder();
  return holder == nullptr ? room_.spare_arena() : holder->arena();
}

void Http2Replica::on_events(StreamEvents& events) {
  touched_ = nullptr;
  for (const StreamEvent& event : events) {
    if (is_closed()) return;
    on_event(event);
  }
  while (Http2ReplicaStream* stream = touched_) {
    touched_ = stream->next_touched;
    stream->is_touched = false;
    if (LeaseHolder* holder = stream->holder()) {
      stream->on_progress();
      holder->flush_client();
    }
  }
  if (!is_closed()) count();
}

void Http2Replica::on_event(const StreamEvent& event) {
  if (event.kind == StreamEvent::Kind::kConcluded) return conclude();
  if (event.kind == StreamEvent::Kind::kGoaway) return leave();
  Http2ReplicaStream* stream = streams_.find(event.stream);
  LeaseHolder* holder = stream == nullptr ? nullptr : stream->holder();
  if (holder == nullptr) return;
  if (!stream->is_touched) {
    stream->is_touched = true;
    stream->next_touched = std::exchange(touched_, stream);
  }
  switch (event.kind) {
    case StreamEvent::Kind::kInformational:
      holder->on_informational(*event.response);
      break;
    case StreamEvent::Kind::kResponseHead:
      stream->on_response_head(*event.response);
      break;
    case StreamEvent::Kind::kBody:
      stream->on_body(event.bytes);
      break;
    case StreamEvent::Kind::kTrailers:
      holder->on_response_trailers(*event.trailers);
      break;
    case StreamEvent::Kind::kEnd:
      holder->on_response_end();
      break;
    case StreamEvent::Kind::kDrained:
      holder->on_replica_drained();
      break;
    case StreamEvent::Kind::kFault:
      on_fault(*stream, event.fault);
      break;
    case StreamEvent::Kind::kRequestHead:
    case StreamEvent::Kind::kGoaway:
    case StreamEvent::Kind::kConcluded:
      break;
  }
}

// A stream above a GOAWAY's last one was not processed, and the replica is not to blame: the same
// request goes to it over another connection. A refused stream is the replica's own wish.
void Http2Replica::on_fault(Http2ReplicaStream& stream, Fault fault) {
  if (fault == Fault::kRefused) {
    stream.fail(http2().takes_streams() ? FailureCause::kRefusedStream : FailureCause::kUnsent);
  } else if (fault == Fault::kReset) {
    stream.fail(fitting(FailureCause::kReset, stream));
  } else {
    stream.fail(fault == Fault::kTruncated ? FailureCause::kTruncated : FailureCause::kBadResponse);
  }
}

void Http2Replica::on_stream_drained(std::uint32_t number) {
  Http2ReplicaStream* stream = streams_.find(number);
  if (stream == nullptr || stream->holder() == nullptr) return;
  stream->on_progress();
  stream->holder()->on_replica_drained();
}

void Http2Replica::on_drained() {
  Http2Connection::on_drained();
  streams_.for_each([](Http2ReplicaStream& stream) {
    if (stream.holder() != nullptr) stream.holder()->on_replica_drained();
  });
}

// Time
// -----------------------------------------------------------------------------------------------------------

Duration Http2Replica::ping_after() const noexcept {
  if (has_ponged_) return kPingAgainAfter;
  return is_unused() ? std::min<Duration>(kPingAfter, slot_.idle_timeout() / 2) : kPingAfter;
}

// Before its settings have come, the dial's time counts.
Instant Http2Replica::due() const noexcept {
  if (state_ == State::kGreeting) return kNever;
  Instant earliest = pinged_at_ != kNever ? pinged_at_ + kPingPatience : heard_at_ + ping_after();
  if (is_unused())
    earliest = std::min(earliest, deadline_after(unused_since_, slot_.idle_timeout()));
  return earliest;
}

void Http2Replica::rearm() { timer_.arm(room_.loop().timers(), due()); }

void Http2Replica::on_fed() {
  Http2Connection::on_fed();
  heard_at_ = room_.loop().now();
  has_ponged_ = pinged_at_ != kNever && http2().pings_unanswered() == 0;
  if (has_ponged_) pinged_at_ = kNever;
}

void Http2Replica::on_progress() {
  if (state_ == State::kGreeting && http2().has_peer_settings()) {
    state_ = State::kReady;
    unused_since_ = room_.loop().now();
    rearm();
    if (Greeter* greeter = std::exchange(greeter_, nullptr)) greeter->on_greeted(*this);
    return;
  }
  rearm();
}

void Http2Replica::on_deadline() {
  const Instant now = room_.loop().now();
  if (is_unused() && deadline_after(unused_since_, slot_.idle_timeout()) <= now) {
    if (state_ == State::kLeaving) return fail_all(FailureCause::kReset);
    leave();
    unused_since_ = now;
  } else if (pinged_at_ != kNever && pinged_at_ + kPingPatience <= now) {
    fail_all(FailureCause::kReset);
    return;
  } else if (pinged_at_ == kNever && heard_at_ + ping_after() <= now) {
    http2().ping();
    pinged_at_ = now;
    mark_dirty();
  }
  rearm();
}

void Http2Replica::on_turn_end() {
  while (Http2ReplicaStream* stream = failing_.front())
    stream->fail(FailureCause::kUnsent);
  if (is_closed() || !is_unused()) return;
  if (state_ == State::kReady) {
    if (!is_shared() || !slot_.is_wanted()) leave();
  } else if (state_ == State::kLeaving && !is_concluding_) {
    http2().end(Http2Error::kNoError);
    conclude();
  }
}

// Its end
// --------------------------------------------------------------------------------------------------------

void Http2Replica::leave() {
  if (state_ == State::kGreeting) return fail_all(FailureCause::kReset);
  state_ = State::kLeaving;
  slot_.forget(*this);
  mark_dirty();
}

// Its GOAWAY is written; streams that still stand are lost.
void Http2Replica::on_over() {
  if (is_unused() && transport_.is_secure()) transport_.end_writing();
  fail_all(FailureCause::kReset);
}

void Http2Replica::fail_all(FailureCause cause) {
  if (is_closed()) return;
  const auto who = std::exchange(greeter_, nullptr);
  close();
  if (who != nullptr) who->on_greeting_failed(FailureCause::kBadResponse);
  while (Http2ReplicaStream* stream = streams_.any())
    stream->fail(fitting(cause, *stream));
  while (Http2ReplicaStream* stream = begun_.front())
    stream->fail(FailureCause::kUnsent);
  while (Http2ReplicaStream* stream = failing_.front())
    stream->fail(FailureCause::kUnsent);
}

void Http2Replica::drop() {
  greeter_ = nullptr;
  fail_all(FailureCause::kReset);
}

void Http2Replica::close() {
  if (is_closed()) return;
  slot_.forget(*this);
  slot_.on_closed();
  ReplicaSide::unlink();
  close_now();
}

}  // namespace limpet
