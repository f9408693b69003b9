// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/http2_client.h"

#include <algorithm>
#include <utility>

#include "daemon/proxy/listener.h"
#include "daemon/proxy/relay.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

// Between the two GOAWAYs of a polite end, a client's requests that were under way may arrive
// (RFC 9113 section 6.8). An answered ping ends it sooner.
constexpr std::chrono::seconds kAnnounceFor{1};
// How long an ended connection is read out, so that its GOAWAY and the last responses are not
// destroyed by a reset.
constexpr std::chrono::seconds kLingerFor{2};
// An idle connection that has been quiet for so long holds less memory from then on.
constexpr std::chrono::milliseconds kRestAfter{500};

}  // namespace

Http2Client::Http2Client(WorkerRoom& room, Transport transport, ClientOrigin origin,
                         const ListenerAtWork& listener)
    : Http2Connection(room, std::move(transport), CodecRole::kServer),
      ClientSide(listener, origin),
      origin_(std::move(origin)) {
  facts_.listener = listener.name;
  origin_.describe(facts_);
}

Http2Client::~Http2Client() = default;

void Http2Client::start(Buffer bytes) {
  in_ = std::move(bytes);
  watch();
  head_since_ = idle_since_ = room_.loop().now();
  rearm();
  is_readable_ = true;
  mark_dirty();
}

// Events
// ---------------------------------------------------------------------------------------------------------

// The stream lives where its head does, and both go with the exchange.
Arena& Http2Client::arena_for(std::uint32_t number) {
  head_since_ = room_.loop().now();
  if (Http2ClientStream* known = streams_.find(number)) return known->arena();
  Arena& arena = *room_.arenas().take();
  auto* stream = new (arena.allocate(sizeof(Http2ClientStream))) Http2ClientStream(*this, arena);
  streams_.add(*stream, number);
  return arena;
}

void Http2Client::on_events(StreamEvents& events) {
  touched_ = nullptr;
  for (const StreamEvent& event : events) {
    if (is_closed()) return;
    on_event(event);
  }
  // What one read brought for a stream goes to its replica together.
  while (Http2ClientStream* stream = touched_) {
    touched_ = stream->next_touched;
    stream->is_touched = false;
    if (stream->relay() != nullptr) stream->relay()->flush_replica();
  }
  if (!is_closed()) count();
}

void Http2Client::on_event(const StreamEvent& event) {
  if (event.kind == StreamEvent::Kind::kConcluded) {
    conclude();
    return;
  }
  Http2ClientStream* stream = streams_.find(event.stream);
  if (stream == nullptr) {
    const bool is_over =
        event.kind == StreamEvent::Kind::kDrained || event.kind == StreamEvent::Kind::kFault;
    if (is_over && !lingering_.empty()) forget_lingering(event.stream);
    return;
  }
  if (!stream->is_touched) {
    stream->is_touched = true;
    stream->next_touched = std::exchange(touched_, stream);
  }
  switch (event.kind) {
    case StreamEvent::Kind::kRequestHead:
      stream->begin(*event.request);
      break;
    case StreamEvent::Kind::kBody:
      stream->on_body(event.bytes);
      break;
    case StreamEvent::Kind::kTrailers:
      stream->on_trailers(*event.trailers);
      break;
    case StreamEvent::Kind::kEnd:
      stream->on_end();
      break;
    case StreamEvent::Kind::kFault:
      // Taking a request back is nobody's mistake.
      if (event.fault != Fault::kReset) room_.counters().bad_request(event.fault).add();
      if (is_answerable(event.fault)) {
        stream->on_fault(status_of(event.fault), event.reason, event.bytes);
      } else {
        stream->on_reset();
        if (stream->is_in_table()) on_stream_over(*stream);
      }
      break;
    case StreamEvent::Kind::kDrained:
      on_stream_drained(event.stream);
      break;
    case StreamEvent::Kind::kResponseHead:
    case StreamEvent::Kind::kInformational:
    case StreamEvent::Kind::kGoaway:
    case StreamEvent::Kind::kConcluded:
      break;
  }
}

void Http2Client::on_stream_drained(std::uint32_t number) {
  if (!lingering_.empty()) forget_lingering(number);
  if (Http2ClientStream* stream = streams_.find(number)) stream->on_drained();
}

// A stream that never became an exchange gives its memory back here; another's goes with its relay.
void Http2Client::on_stream_over(Http2ClientStream& stream) {
  const std::uint32_t number = stream.number();
  const std::size_t queued = http2().queued_bytes(number);
  if (queued > 0) lingering_.push_back({number, queued, room_.loop().now()});
  streams_.remove(stream);
  if (!stream.has_had_exchange()) room_.bury_arena(stream.arena());
  if (is_idle()) idle_since_ = room_.loop().now();
  mark_dirty();
}

void Http2Client::forget_lingering(std::uint32_t number) {
  std::erase_if(lingering_, [&](const Lingering& one) { return one.stream == number; });
  if (is_idle()) idle_since_ = room_.loop().now();
}

// Time
// -----------------------------------------------------------------------------------------------------------

Instant Http2Client::due() const {
  const TimeoutsModel& timeouts = room_.timeouts();
  Instant earliest = kNever;
  const auto within = [&earliest](Instant since, Duration patience) {
    if (since != kNever) earliest = std::min(earliest, deadline_after(since, patience));
  };
  within(said_all_at_, kLingerFor);
  within(announced_at_, kAnnounceFor);
  within(blocked_since_, timeouts.client_stall);
  within(head_since_, timeouts.request_head);
  if (is_idle()) {
    within(idle_since_, timeouts.client_idle);
    if (!has_rested_) within(quiet_since_, kRestAfter);
  }
  for (const Lingering& one : lingering_)
    within(one.since, timeouts.client_stall);
  return earliest;
}

void Http2Client::rearm() { timer_.arm(room_.loop().timers(), due()); }

bool Http2Client::is_past(Instant since, Duration patience) const {
  return since != kNever && deadline_after(since, patience) <= room_.loop().now();
}

// A head's time is that of the whole head, whatever else comes meanwhile; the preface is one, too.
void Http2Client::on_progress() {
  const Instant now = room_.loop().now();
  quiet_since_ = now;
  has_rested_ = false;
  if (http2().has_peer_settings() && !http2().is_in_head()) {
    head_since_ = kNever;
  } else if (head_since_ == kNever) {
    head_since_ = now;
  }
  if (!is_write_blocked_) {
    blocked_since_ = kNever;
  } else if (blocked_since_ == kNever) {
    blocked_since_ = now;
  }
  if (state_ == State::kAnnounced && http2().pings_unanswered() == 0) end_announcement();
  rearm();
}

void Http2Client::on_drained() {
  Http2Connection::on_drained();
  streams_.for_each([](Http2ClientStream& stream) { stream.on_drained(); });
}

void Http2Client::on_deadline() {
  const TimeoutsModel& timeouts = room_.timeouts();
  if (is_past(said_all_at_, kLingerFor)) return close();
  if (is_past(blocked_since_, timeouts.client_stall)) give_up_blocked();
  if (is_closed()) return;
  if (!is_concluding_) {
    if (is_past(announced_at_, kAnnounceFor)) end_announcement();
    if (is_past(head_since_, timeouts.request_head)) end_slow_head();
    reset_stalled();
    if (is_idle() && is_past(idle_since_, timeouts.client_idle)) {
      http2().end(Http2Error::kNoError);
      conclude();
    }
    rest_if_quiet();
  }
  rearm();
}

void Http2Client::give_up_blocked() {
  if (is_taking()) {
    blocked_since_ = room_.loop().now();
    return;
  }
  room_.counters().timeout_client_stall->add();
  close();
}

void Http2Client::end_slow_head() {
  room_.counters().timeout_request_head->add();
  http2().end(Http2Error::kEnhanceYourCalm);
  conclude();
}

// Responses whose client keeps its window shut are not kept for ever.
void Http2Client::reset_stalled() {
  const Instant now = room_.loop().now();
  for (Lingering& one : lingering_) {
    const std::size_t left = http2().queued_bytes(one.stream);
    if (left < one.bytes) {
      one.bytes = left;
      one.since = now;
    } else if (now - one.since >= room_.timeouts().client_stall) {
      room_.counters().timeout_client_stall->add();
      http2().reset(one.stream, Http2Error::kCancel);
      one.bytes = 0;
      mark_dirty();
    }
  }
  std::erase_if(lingering_, [](const Lingering& one) { return one.bytes == 0; });
  if (is_idle() && idle_since_ == kNever) idle_since_ = now;
}

void Http2Client::rest_if_quiet() {
  if (is_concluding_ || has_rested_ || !is_idle() || !is_past(quiet_since_, kRestAfter)) return;
  has_rested_ = true;
  http2().rest();
}

// Its end
// --------------------------------------------------------------------------------------------------------

void Http2Client::drain() {
  if (state_ != State::kOpen || is_concluding_) return;
  state_ = State::kAnnounced;
  announced_at_ = room_.loop().now();
  http2().announce_end();
  http2().ping();
  mark_dirty();
  rearm();
}

void Http2Client::end_announcement() {
  state_ = State::kEnding;
  announced_at_ = kNever;
  http2().announce_end();
  mark_dirty();
  close_if_unused();
}

void Http2Client::close_if_unused() {
  if (state_ == State::kEnding && is_idle()) conclude();
}

void Http2Client::on_turn_end() { close_if_unused(); }

// Nothing more is said. What the client still sends is read and thrown away until it closes, too.
void Http2Client::on_over() {
  if (has_ended_ || is_broken_) return close();
  http2().end(Http2Error::kNoError);
  state_ = State::kLingering;
  said_all_at_ = room_.loop().now();
  announced_at_ = head_since_ = blocked_since_ = idle_since_ = kNever;
  transport_.end_writing();
  rearm();
}

void Http2Client::cut(Ending ending) {
  streams_.for_each([&](Http2ClientStream& stream) {
    if (stream.relay() != nullptr) stream.relay()->will_end_by(ending);
  });
  close();
}

void Http2Client::end_streams() {
  while (Http2ClientStream* stream = streams_.any()) {
    stream->on_reset();
    if (stream->is_in_table()) on_stream_over(*stream);
  }
  lingering_.clear();
}

void Http2Client::close() {
  if (is_closed()) return;
  room_.on_client_closed(listener(), ClientProtocol::kHttp2);
  origin_.ticket.reset();
  ClientSide::unlink();
  http2().end(Http2Error::kNoError);
  close_now();
  end_streams();
}

}  // namespace limpet
