// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/client_connection.h"

#include <utility>

#include "daemon/base/check.h"
#include "daemon/proxy/listener.h"
#include "daemon/proxy/relay.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

// What a client may send ahead while its request is being answered; more stays in the kernel.
constexpr std::size_t kPipelinedBytesMax = std::size_t{16} * 1024;
// How long a closing connection is read out, so that the last answer is not destroyed by a reset
// (RFC 9112 section 9.6).
constexpr std::chrono::seconds kLingering{2};
constexpr std::uint16_t kContinue = 100;
constexpr std::string_view kPrefaceBegin = "PRI * HTTP/2.0\r\n";

}  // namespace

ClientConnection::ClientConnection(WorkerRoom& room, Transport transport, ClientOrigin origin,
                                   const ListenerAtWork& listener)
    : Connection(room, std::move(transport), Http1Codec(CodecRole::kServer, room.codec_limits())),
      ClientSide(listener, origin),
      origin_(std::move(origin)) {
  facts_.listener = listener.name;
  origin_.describe(facts_);
  // Under TLS the protocol was agreed upon already.
  awaits_preface_ = listener.speaks_http2 && !transport_.is_secure();
  if (!awaits_preface_) count_in();
}

ClientConnection::~ClientConnection() {
  if (fresh_arena_ != nullptr) room_.arenas().give(fresh_arena_);
}

void ClientConnection::start() {
  watch();
  arm(room_.timeouts().client_idle);
  if (!transport_.is_secure()) return;
  // TLS may have read more than the handshake, of which no edge will tell.
  is_readable_ = true;
  room_.loop().run_soon(*this);
}

void ClientConnection::arm(Duration after) {
  timer_.arm(room_.loop().timers(), deadline_after(room_.loop().now(), after));
}

Arena& ClientConnection::arena_for(std::uint32_t) {
  if (fresh_arena_ == nullptr) fresh_arena_ = room_.arenas().take();
  return *fresh_arena_;
}

// HTTP/2 by prior knowledge (RFC 9113 section 3.3): its preface has a first line like no request's.
bool ClientConnection::is_preface(std::string_view bytes) {
  const bool is_equal = bytes.substr(0, kPrefaceBegin.size()) == kPrefaceBegin;
  if (bytes.size() < kPrefaceBegin.size() && kPrefaceBegin.starts_with(bytes)) return false;
  awaits_preface_ = false;
  is_http2_ = is_equal;
  if (!is_http2_) count_in();
  return is_equal;
}

// As one that speaks HTTP/1.
void ClientConnection::count_in() {
  is_counted_ = true;
  listener().http1.opened->add();
}

void ClientConnection::become_http2() {
  watch_.stop();
  timer_.disarm();
  Buffer read = std::move(in_);
  origin_.shall_leave = is_draining_;
  ClientSide::unlink();
  room_.admit_http2(std::move(transport_), std::move(origin_), listener(), std::move(read));
  room_.bury(*this);
}

void ClientConnection::on_events(StreamEvents& events) {
  for (const StreamEvent& event : events) {
    if (is_closed()) return;
    switch (event.kind) {
      case StreamEvent::Kind::kRequestHead:
        begin_relay(*event.request);
        break;
      case StreamEvent::Kind::kBody:
        awaits_continue_ = false;
        if (relay_ != nullptr) relay_->on_request_body(event.bytes);
        break;
      case StreamEvent::Kind::kTrailers:
        if (relay_ != nullptr) relay_->on_request_trailers(*event.trailers);
        break;
      case StreamEvent::Kind::kEnd:
        if (relay_ != nullptr) relay_->on_request_end();
        break;
      case StreamEvent::Kind::kFault:
        on_fault(event);
        break;
      case StreamEvent::Kind::kResponseHead:
      case StreamEvent::Kind::kInformational:
      case StreamEvent::Kind::kDrained:
      case StreamEvent::Kind::kGoaway:
      case StreamEvent::Kind::kConcluded:
        break;
    }
  }
  if (relay_ != nullptr) relay_->flush_replica();
}

void ClientConnection::begin_relay(RequestHead& head) {
  state_ = State::kBusy;
  if (is_draining_) close_after_this();
  // A head without a body leaves nothing due from the client.
  if (head.body.kind == BodyLength::Kind::kNone) {
    timer_.disarm();
  } else {
    awaits_continue_ = head.expects_continue;
    arm(room_.timeouts().client_stall);
  }
  relay_ = room_.make_relay(*this, *std::exchange(fresh_arena_, nullptr), head);
  relay_->begin();
}

void ClientConnection::on_fault(const StreamEvent& event) {
  room_.counters().bad_request(event.fault).add();
  if (relay_ != nullptr) {
    relay_->on_request_fault(status_of(event.fault), event.reason);
    return;
  }
  if (state_ == State::kLingering) return;
  refuse(status_of(event.fault), event.reason, event.bytes);
}

// Answers what never became a request. It still is an exchange: logged and counted like any other.
void ClientConnection::refuse(std::uint16_t status, std::string_view detail,
                              std::string_view accept) {
  Arena& arena = arena_for(0);
  auto* head = new (arena.allocate(sizeof(RequestHead))) RequestHead(arena);
  if (!accept.empty()) head->fields.add(FieldName::kAccept, accept);
  head->method_text = "-";
  head->target = head->path = "-";
  state_ = State::kBusy;
  timer_.disarm();
  close_after_this();
  relay_ = room_.make_relay(*this, *std::exchange(fresh_arena_, nullptr), *head);
  relay_->begin_refused(status, detail);
}

void ClientConnection::on_end_of_bytes() {
  // A request that came whole may wait for its turn, which on_errand() gives it.
  if (state_ == State::kIdle && !in_.is_empty()) {
    room_.loop().run_soon(*this);
  } else {
    end_input();
  }
}

void ClientConnection::end_input() {
  switch (state_) {
    case State::kIdle:
    case State::kLingering:
      // The last answer may still be on its way.
      if (!is_all_written()) return linger();
      [[fallthrough]];
    case State::kHead:
      close();
      return;
    case State::kBusy:
      break;
  }
  if (is_request_complete()) {
    if (relay_ != nullptr) relay_->on_client_half_closed();
    return;
  }
  StreamEvents& events = room_.borrow_events();
  http1().on_end_of_bytes(events);
  for (const StreamEvent& event : events) {
    if (relay_ == nullptr) break;
    if (event.kind == StreamEvent::Kind::kEnd) relay_->on_request_end();
    if (event.kind == StreamEvent::Kind::kFault) relay_->on_client_gone();
  }
  room_.return_events(events);
  if (relay_ != nullptr) relay_->flush_replica();
}

void ClientConnection::on_errand() {
  if (has_ended_ && !is_closed() && !is_tunnel_) {
    feed_waiting();
    // Behind the end of bytes, what has been fed is all there will ever be.
    if (!is_closed() && !is_paused_) end_input();
    if (is_closed()) return room_.after_callback();
  }
  Connection::on_errand();
}

void ClientConnection::on_broken() { close(); }

void ClientConnection::on_drained() {
  if (ends_after_flush_) {
    transport_.end_writing();
    ends_after_flush_ = false;
  }
  if (state_ == State::kLingering) {
    linger();
    return;
  }
  if (state_ == State::kIdle) {
    arm(room_.timeouts().client_idle);
    resume();
    if (is_draining_) return drain();
  }
  if (relay_ != nullptr) relay_->on_client_drained();
}

void ClientConnection::on_progress() {
  if (is_http2_) [[unlikely]]
    return become_http2();
  switch (state_) {
    case State::kIdle:
      if (!http1().is_in_head()) return;
      state_ = State::kHead;
      arm(room_.timeouts().request_head);
      return;
    case State::kBusy:
      // Due is what the client still has to send, or to take.
      if (is_write_blocked_ || owes_body()) arm(room_.timeouts().client_stall);
      return;
    case State::kHead:
    case State::kLingering:
      return;
  }
}

// Inside a message the codec's own limits bound what waits. Of messages behind it, and before the
// codec has seen any of the next one, no more is read than this.
bool ClientConnection::wants_input() const {
  const bool is_inside = !is_request_complete() && !http1().is_between_messages();
  return is_inside || in_.size() < kPipelinedBytesMax;
}

void ClientConnection::on_deadline() {
  if (is_write_blocked_ && is_taking()) {
    arm(room_.timeouts().client_stall);
    return;
  }
  switch (state_) {
    case State::kIdle:
    case State::kLingering:
      close();
      return;
    case State::kHead:
      room_.counters().timeout_request_head->add();
      refuse(408, "the request head did not arrive in time");
      return;
    case State::kBusy:
      break;
  }
  if (!is_write_blocked_ && !owes_body()) return;
  room_.counters().timeout_client_stall->add();
  if (relay_ == nullptr) {
    close();
  } else {
    relay_->on_client_stalled();
  }
}

void ClientConnection::send_informational(const ResponseHead& head) {
  http1().write_informational(head, out_);
  if (head.status == kContinue) awaits_continue_ = false;
  flush();
}

// What the client owes is due from now on.
void ClientConnection::resume_request() {
  resume();
  if (state_ == State::kBusy && owes_body()) arm(room_.timeouts().client_stall);
}

void ClientConnection::send_head(const ResponseHead& head) {
  http1().write_response_head(head, out_);
}

void ClientConnection::send_body(std::string_view bytes) { queue_body(bytes); }

void ClientConnection::send_end(const HeaderList* trailers) { http1().write_end(trailers, out_); }

void ClientConnection::enter_tunnel() {
  is_tunnel_ = true;
  http1().enter_tunnel();
  if (!in_.is_empty()) room_.loop().run_soon(*this);
}

void ClientConnection::end_writing() {
  flush();
  if (is_all_written()) {
    transport_.end_writing();
  } else {
    ends_after_flush_ = true;
  }
}

void ClientConnection::abort() {
  reset_at_close();
  close();
}

// Everything but a clean end: a reset is what no client takes for a complete answer.
void ClientConnection::reset_at_close() noexcept {
  const ::linger hard{.l_onoff = 1, .l_linger = 0};
  static_cast<void>(
      ::setsockopt(transport_.descriptor(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
}

void ClientConnection::on_exchange_done(Relay& relay) {
  DCHECK_THAT(relay_ == &relay);
  relay_ = nullptr;
  room_.bury_relay(relay);
  if (is_closed()) return;
  flush();
  // Its memory goes with the exchange, though some of the request may still come.
  http1().forget_arena();
  if (!http1().keeps_alive() || is_draining_ || !is_request_complete()) {
    linger();
    return;
  }
  become_idle();
}

void ClientConnection::become_idle() {
  http1().next_message();
  state_ = State::kIdle;
  // A client that takes no answers is asked for no requests: what is queued is one answer's at
  // most.
  is_paused_ = !is_all_written();
  arm(is_paused_ ? room_.timeouts().client_stall : room_.timeouts().client_idle);
  if (!in_.is_empty() || is_readable_) {
    if (!is_paused_) room_.loop().run_soon(*this);
  } else if (has_ended_) {
    linger();
  }
}

void ClientConnection::linger() {
  state_ = State::kLingering;
  is_paused_ = false;
  arm(is_all_written() ? kLingering : room_.timeouts().client_stall);
  if (!is_all_written()) return;
  if (has_ended_ || (is_request_complete() && in_.is_empty() && !is_readable_)) {
    close();
    return;
  }
  transport_.end_writing();
  if (is_readable_) room_.loop().run_soon(*this);
}

void ClientConnection::close() {
  if (is_closed()) return;
  // What was cut off must not look whole; everything else is announced (RFC 8446 section 6.1).
  const bool is_whole = state_ == State::kIdle || state_ == State::kLingering;
  if (is_whole && transport_.is_secure() && is_all_written()) transport_.end_writing();
  if (http1().ends_with_connection() && !(is_whole && is_all_written())) reset_at_close();
  room_.on_client_closed(listener(),
                         is_counted_ ? ClientProtocol::kHttp1 : ClientProtocol::kUnknown);
  origin_.ticket.reset();
  ClientSide::unlink();
  close_now();
  if (relay_ != nullptr) relay_->on_client_gone();
}

void ClientConnection::drain() {
  is_draining_ = true;
  // A request that has arrived already is answered.
  is_readable_ = true;
  pump();
  if (is_closed()) return;
  if (state_ == State::kIdle && in_.is_empty() && is_all_written()) {
    close();
  } else {
    close_after_this();
  }
}

void ClientConnection::cut(Ending ending) {
  if (relay_ != nullptr) relay_->will_end_by(ending);
  close();
}

}  // namespace limpet
