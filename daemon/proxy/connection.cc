// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

// Body pieces below this are copied behind the head, so that both leave in one segment; above it,
// copying costs more than a second piece in the write.
constexpr std::size_t kCopiedBytesMax = 4096;
// Reads in a row before others get their turn.
constexpr int kReadsPerTurn = 4;

iovec piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()),
          bytes.size()};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

}  // namespace

Connection::Connection(WorkerRoom& room, Transport transport, Codec codec) noexcept
    : room_(room),
      transport_(std::move(transport)),
      codec_(std::move(codec)),
      watch_(*this),
      timer_(*this) {}

void Connection::watch() {
  watch_.start(room_.loop(), transport_.descriptor(), Watch::Trigger::kEdgeBoth);
}

void Connection::on_ready(Readiness ready) {
  // An edge of one direction tells the state of both: the end that was read already comes again.
  if (!has_ended_) {
    if (ready.is_readable()) is_readable_ = true;
    if (ready.is_ending()) is_readable_ = is_ending_ = true;
  }
  // Where nobody reads, an edge may be a reset, which nothing else would tell.
  if (ready.is_readable() && (is_paused_ || has_ended_)) look_for_reset();
  if (is_write_blocked_ && ready.is_writable()) write_on();
  if (!is_closed()) pump();
  finish_callback();
}

[[gnu::noinline]] void Connection::look_for_reset() {
  const int reason = transport_.take_error();
  if (reason == 0) return;
  if (has_ended_ || !outlives_failed_write()) {
    is_broken_ = true;
    return;
  }
  // What came before may be a whole answer, and is there when somebody takes it.
  is_write_dead_ = is_readable_ = true;
  is_cut_off_ = reason != EPIPE;
}

// The socket has room again, or for the first time.
void Connection::write_on() {
  on_writable();
  if (is_closed() || is_broken_ || !is_write_blocked_) return;
  is_write_blocked_ = false;
  write_out();
  if (!is_closed() && !is_write_blocked_ && !is_broken_) on_drained();
}

void Connection::on_errand() {
  if (is_closed()) return;
  feed_waiting();
  if (!is_closed()) on_progress();
  if (!is_closed()) pump();
  finish_callback();
}

void Connection::on_timer(Timer&) {
  if (!is_closed()) on_deadline();
  finish_callback();
}

// Nothing is destroyed while a callback runs: what died is buried here, when no frame of it is left
// on the stack.
void Connection::finish_callback() {
  if (!is_closed() && is_broken_) on_broken();
  room_.after_callback();
}

void Connection::resume() {
  if (!is_paused_) return;
  is_paused_ = false;
  // Not at once: the caller may be in the middle of this connection's own events.
  if (is_readable_ || !in_.is_empty()) room_.loop().run_soon(*this);
}

[[gnu::always_inline]] inline bool Connection::is_at_rest(const Http1Codec& http1) const noexcept {
  return http1.has_read_message() || (http1.is_between_messages() && in_.is_empty());
}

[[gnu::always_inline]] inline std::size_t Connection::decode(std::string_view bytes,
                                                             StreamEvents& events) {
  if (auto* http1 = std::get_if<Http1Codec>(&codec_)) [[likely]] {
    if (awaits_preface_ && is_preface(bytes)) [[unlikely]]
      return 0;
    return http1->feed(bytes, *this, events);
  }
  http2().feed(bytes, room_.loop().now(), *this, events);
  on_fed();
  return bytes.size();
}

[[gnu::always_inline]] inline void Connection::feed(std::string_view bytes) {
  StreamEvents& events = room_.borrow_events();
  const std::size_t used = decode(bytes, events);
  // Before the events are walked, since they may end in a call that looks at what waits.
  if (used < bytes.size()) in_.append({bytes.data() + used, bytes.size() - used});
  if (!events.empty()) on_events(events);
  room_.return_events(events);
}

[[gnu::always_inline]] inline void Connection::read_once() {
  // Bytes that already wait must stay in front, so new ones are read behind them; otherwise they
  // are read into the worker's scratch memory, and only what remains of it after feeding is kept.
  const bool has_waiting = !in_.is_empty();
  constexpr std::size_t kBehindBytes = std::size_t{16} * 1024;
  const std::size_t wanted = has_waiting ? kBehindBytes : room_.scratch().size();
  char* place = has_waiting ? in_.reserve(wanted) : room_.scratch().data();
  const Moved moved = transport_.read({place, wanted});
  switch (moved.how) {
    case Moved::How::kBlocked:
      is_readable_ = false;
      return;
    case Moved::How::kFailed:
      is_readable_ = false;
      is_broken_ = true;
      return;
    case Moved::How::kEnded:
      is_readable_ = false;
      // An end behind a reset that was asked for is none, unless TLS has announced it.
      if (is_cut_off_ && (!transport_.is_secure() || transport_.ended_without_close_notify()))
          [[unlikely]] {
        is_broken_ = true;
        return;
      }
      has_ended_ = true;
      on_end_of_bytes();
      return;
    case Moved::How::kSome:
      break;
  }
  if (has_waiting) {
    in_.commit(moved.bytes);
    feed_waiting();
  } else {
    feed({place, moved.bytes});
  }
  if (is_closed()) return;
  // A short read has emptied the socket. Not so with the end announced, which is still to be read;
  // nor inside a message, where the bytes may have come together with a reset, of which the edge
  // says nothing: one more read tells.
  const auto* http1 = std::get_if<Http1Codec>(&codec_);
  const bool rests = http1 == nullptr || is_at_rest(*http1);
  if (moved.bytes < wanted && !is_ending_ && rests && !transport_.has_more()) is_readable_ = false;
  // What comes behind a whole message is nothing that anybody waits for.
  if (!rests || http1 == nullptr) on_progress();
}

// With nothing waiting, HTTP/1 wants whatever comes next.
[[gnu::always_inline]] inline bool Connection::takes_more() const {
  return (std::holds_alternative<Http1Codec>(codec_) && in_.is_empty()) || wants_input();
}

void Connection::pump() {
  for (int reads = 0; is_readable_ && !is_paused_ && !has_ended_ && !is_broken_ && takes_more();
       ++reads) {
    if (reads == kReadsPerTurn) {
      room_.loop().run_soon(*this);
      return;
    }
    read_once();
    if (is_closed()) return;
  }
}

void Connection::feed_waiting() {
  if (in_.is_empty() || is_paused_ || is_broken_) return;
  StreamEvents& events = room_.borrow_events();
  // The events point into these bytes, so they are held here while the events are walked.
  Buffer held = std::move(in_);
  const std::size_t used = decode(held.view(), events);
  if (used == 0 && events.empty()) {
    in_ = std::move(held);
  } else {
    in_.append(held.view().substr(used));
    if (!events.empty()) on_events(events);
  }
  room_.return_events(events);
}

void Connection::queue_body(std::string_view bytes) {
  http1().write_body_prefix(bytes.size(), out_);
  const std::string_view suffix = http1().body_suffix();
  if (is_write_dead_ || is_broken_) {
    out_.clear();
    return;
  }
  if (bytes.size() <= kCopiedBytesMax || is_write_blocked_) {
    out_.append(bytes);
    out_.append(suffix);
    return;
  }
  write_pieces(bytes, suffix);
}

void Connection::write_pieces(std::string_view body, std::string_view suffix) {
  const std::string_view head = out_.view();
  std::array<iovec, 3> pieces = {piece(head), piece(body), piece(suffix)};
  const std::size_t first = head.empty() ? 1 : 0;
  const std::size_t count = (suffix.empty() ? 2U : 3U) - first;
  const Moved moved = count == 1 ? transport_.write(body)
                                 : transport_.write(std::span(pieces).subspan(first, count));
  std::size_t sent = 0;
  if (moved.how == Moved::How::kSome) sent = moved.bytes;
  if (moved.how == Moved::How::kFailed) {
    break_soon();
    return;
  }
  if (sent > 0) {
    has_written_ = true;
    on_progress();
  }
  const std::size_t of_head = std::min(sent, head.size());
  if (of_head > 0) out_.consume(of_head);
  sent -= of_head;
  const std::size_t of_body = std::min(sent, body.size());
  sent -= of_body;
  if (of_body == body.size() && sent == suffix.size() && !transport_.has_pending_output()) return;
  out_.append(body.substr(of_body));
  out_.append(suffix.substr(sent));
  is_write_blocked_ = true;
  on_progress();
}

// A failed write is told in a callback of this connection's own, not in the middle of somebody
// else's.
void Connection::break_soon() {
  const bool was_reset = errno == ECONNRESET && !transport_.is_secure();
  out_.clear();
  if (outlives_failed_write()) {
    is_write_dead_ = is_readable_ = true;
    is_cut_off_ = is_cut_off_ || was_reset;
  } else {
    is_broken_ = true;
  }
  room_.loop().run_soon(*this);
}

void Connection::write_out() {
  if (is_write_dead_) out_.clear();
  if (is_write_blocked_ || is_closed() || is_broken_) return;
  if (out_.is_empty() && !transport_.has_pending_output()) return;
  const Moved moved = out_.is_empty() ? transport_.flush_pending() : transport_.write(out_.view());
  if (moved.how == Moved::How::kFailed) {
    break_soon();
    return;
  }
  if (moved.how == Moved::How::kSome) {
    has_written_ = true;
    if (!out_.is_empty()) out_.consume(moved.bytes);
  }
  if (!out_.is_empty() || transport_.has_pending_output()) is_write_blocked_ = true;
  on_progress();
}

// The kernel tells of room only when a good part of its queue is free; a slow peer may need long
// for that, and yet be taking.
bool Connection::is_taking() noexcept {
  const auto untaken = static_cast<std::uint32_t>(transport_.untaken_bytes());
  return std::exchange(untaken_bytes_, untaken) != untaken;
}

void Connection::close_now() {
  if (is_closed()) return;
  watch_.stop();
  timer_.disarm();
  transport_.close();
  in_.clear();
  out_.clear();
  room_.bury(*this);
}

}  // namespace limpet
