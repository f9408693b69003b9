// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <nghttp2/nghttp2.h>

#include "daemon/http/expectation.h"
#include "daemon/http/http2_codec.h"
#include "daemon/http/http2_session.h"

namespace limpet {

namespace {

using Kind = StreamEvent::Kind;
using Reading = Http2Stream::Reading;
using Writing = Http2Stream::Writing;

[[nodiscard]] Http2Error error_for(Http2FrameScan::Verdict verdict) noexcept {
  using Verdict = Http2FrameScan::Verdict;
  return verdict == Verdict::kFlood    ? Http2Error::kEnhanceYourCalm
         : verdict == Verdict::kClosed ? Http2Error::kStreamClosed
                                       : Http2Error::kProtocolError;
}

[[nodiscard]] Http2Error error_for(ssize_t library_error) noexcept {
  switch (library_error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
      return Http2Error::kProtocolError;  // RFC 9113 section 3.4
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
      return Http2Error::kEnhanceYourCalm;
    default:
      return Http2Error::kInternalError;
  }
}

}  // namespace

void Http2Codec::feed(std::string_view bytes, Instant now, HeadHome& home, StreamEvents& events) {
  Http2Session& session = awake();
  if (session.is_terminated || session.is_concluded) return;
  session.give_late(events);
  session.events = &events;
  session.home = &home;
  session.now = now;
  const auto verdict = session.scan.scan(bytes, now, session.floods);
  if (verdict != Http2FrameScan::Verdict::kFine) {
    session.terminate(error_for(verdict));
  } else {
    const auto* const octets = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const ssize_t used = nghttp2_session_mem_recv(session.library, octets, bytes.size());
    if (used < 0) session.terminate(error_for(used));
  }
  // Acknowledgements and resets are made at once: so what they say of streams is known here.
  if (nghttp2_session_get_outbound_queue_size(session.library) > 0) session.stage();
  // How many streams a replica's connection carries is limpet's own choice.
  const bool is_too_large = session.role == CodecRole::kServer &&
                            !session.floods.check_bytes(session.provoked_bytes(), now);
  if (session.is_flooded || is_too_large) session.terminate(Http2Error::kEnhanceYourCalm);
  session.conclude_if_over();
  session.home = nullptr;
  session.events = &session.late;
}

void Http2Codec::credit(std::uint32_t number, std::size_t bytes) {
  nghttp2_session_consume_stream(awake().library, static_cast<std::int32_t>(number), bytes);
}

void Http2Codec::stop_reading(std::uint32_t number) {
  Http2Stream* const stream = awake().find(number);
  if (stream == nullptr || stream->reading == Reading::kGone) return;
  session_->leave_arena(*stream);
  if (stream->reading == Reading::kDone) return;
  stream->reading = Reading::kDropped;
  stream->is_to_be_reset = true;
  if (stream->writing == Writing::kDone) session_->on_half_ended(stream);
}

// Field blocks
// ------------------------------------------------------------------------------------------------

void Http2Session::begin_block(std::uint32_t number, Http2Stream* stream) {
  if (stream == nullptr && role == CodecRole::kServer) {
    stream = &open();
    stream->number = number;
    found_last = stream;
    nghttp2_session_set_stream_user_data(library, static_cast<std::int32_t>(number), stream);
    stream->arena = &home->arena_for(number);
    head_reader.begin_request(*stream->arena);
  } else if (stream == nullptr || stream->reading == Reading::kGone ||
             stream->reading == Reading::kDropped) {
    head_reader.begin_nothing();
  } else if (stream->reading == Reading::kHead) {
    stream->arena = &home->arena_for(number);
    head_reader.begin_response(*stream->arena);
  } else if (stream->arena != nullptr) {
    head_reader.begin_trailers(*stream->arena, stream->charge);
  } else {
    head_reader.begin_nothing();
  }
  block_stream = stream;
}

void Http2Session::leave_arena(Http2Stream& stream) noexcept {
  stream.arena = nullptr;
  if (block_stream != &stream) return;
  block_stream = nullptr;
  head_reader.begin_nothing();
}

void Http2Session::break_off_block(Http2Stream* stream) {
  if (stream == nullptr) return;
  break_off(*stream, Http2Error::kEnhanceYourCalm,
            bad("RFC 9113 section 10.5.1: field block far too large"));
}

void Http2Session::finish_block(Http2Stream* stream, EndOfStream end) {
  block_stream = nullptr;
  if (stream == nullptr || stream->reading == Reading::kGone) return;
  switch (stream->reading) {
    case Reading::kHead:
      if (role == CodecRole::kServer) {
        finish_request(*stream, end);
      } else {
        finish_response(*stream, end);
      }
      return;
    case Reading::kBody:
      finish_trailers(*stream, end);
      return;
    default:
      if (end == EndOfStream::kYes) finish_reading(*stream);
      return;
  }
}

void Http2Session::finish_request(Http2Stream& stream, EndOfStream end) {
  RequestHead* head = nullptr;
  const Refusal refusal = head_reader.finish_request(end, head);
  stream.charge = head_reader.charge();
  head_bytes += stream.charge.bytes;
  stream.has_priority = head_reader.has_priority();
  stream.method = head_reader.request_method();
  if (refusal.is_refused() && !is_answerable(refusal.fault)) {
    break_off(stream, Http2Error::kProtocolError, refusal);
    return;
  }
  if (refusal.is_refused()) {
    StreamEvent& event = events->add(Kind::kFault);
    event.stream = stream.number;
    event.fault = refusal.fault;
    event.code = 0;
    event.reason = refusal.reason;
    event.bytes = head != nullptr ? head->fields.value(FieldName::kAccept) : std::string_view{};
    leave_arena(stream);
    stream.reading = Reading::kDropped;
    stream.is_to_be_reset = true;
  } else {
    StreamEvent& event = events->add(Kind::kRequestHead);
    event.stream = stream.number;
    event.request = head;
    stream.is_websocket = !head->upgrade.empty();
    stream.reading = Reading::kBody;
  }
  if (end == EndOfStream::kYes) finish_reading(stream);
}

void Http2Session::finish_response(Http2Stream& stream, EndOfStream end) {
  ResponseHead* head = nullptr;
  const auto asked =
      stream.is_websocket ? Http2HeadReader::Asked::kWebsocket : Http2HeadReader::Asked::kMessage;
  Refusal refusal = head_reader.finish_response(stream.method, asked, end, head);
  stream.charge = head_reader.charge();
  const bool is_informational = !refusal.is_refused() && head->status < 200 && head->status != 101;
  if (is_informational && ++stream.informational > kInformationalMax) {
    refusal = bad("RFC 9110 section 15.2: too many 1xx responses");
  }
  if (refusal.is_refused()) {
    break_off(stream, Http2Error::kProtocolError, refusal);
    return;
  }
  StreamEvent& event = events->add(is_informational ? Kind::kInformational : Kind::kResponseHead);
  event.stream = stream.number;
  event.response = head;
  if (is_informational) return;
  stream.reading = Reading::kBody;
  if (end == EndOfStream::kYes) finish_reading(stream);
}

// That trailers end the stream, the library has seen to.
void Http2Session::finish_trailers(Http2Stream& stream, EndOfStream end) {
  HeaderList* trailers = nullptr;
  const Refusal refusal = head_reader.finish_trailers(trailers);
  if (refusal.is_refused()) {
    break_off(stream, Http2Error::kProtocolError, refusal);
    return;
  }
  if (trailers != nullptr) {
    StreamEvent& event = events->add(Kind::kTrailers);
    event.stream = stream.number;
    event.trailers = trailers;
  }
  if (end == EndOfStream::kYes) finish_reading(stream);
}

// Bodies and ends
// ---------------------------------------------------------------------------------------------

void Http2Session::take_data(Http2Stream* stream, std::string_view bytes) {
  nghttp2_session_consume_connection(library, bytes.size());
  if (stream == nullptr || stream->reading != Reading::kBody) return;
  StreamEvent& event = events->add(Kind::kBody);
  event.stream = stream->number;
  event.bytes = bytes;
}

void Http2Session::finish_reading(Http2Stream& stream) {
  if (stream.reading == Reading::kBody) events->add(Kind::kEnd).stream = stream.number;
  stream.reading = Reading::kDone;
  leave_arena(stream);
}

void Http2Session::on_reset(Http2Stream* stream, std::uint32_t code) {
  if (stream == nullptr || stream->reading == Reading::kGone) return;
  const bool is_refused = role == CodecRole::kClient && code == NGHTTP2_REFUSED_STREAM &&
                          stream->reading == Reading::kHead;
  // A whole response is one, also where its replica wants no more of the request.
  if (role == CodecRole::kClient && stream->reading == Reading::kDone) {
    stream->reading = Reading::kGone;
    return;
  }
  report(*stream,
         {is_refused ? Fault::kRefused : Fault::kReset,
          "RFC 9113 section 6.4: the other side reset the stream"},
         code);
}

void Http2Session::on_goaway(std::uint32_t last_stream) {
  has_goaway = true;
  ++goaways.received;
  events->add(Kind::kGoaway).stream = last_stream;
}

void Http2Session::on_breach(Http2Stream* stream, const char* reason) {
  if (stream != nullptr && stream->reading != Reading::kGone) report(*stream, bad(reason), 0);
}

// Most breaches are known by then; those of lengths and windows are not.
void Http2Session::on_reset_sent(std::uint32_t number, Http2Stream* stream) {
  scan.on_reset_by_us(number);
  if (stream != nullptr && stream->is_reset_by_us) return;
  on_breach(stream, "RFC 9113 section 8.1.1: body and Content-Length or window differ");
  if (!floods.count(Http2Flood::kProvokedResets, now)) is_flooded = true;
}

void Http2Session::on_stream_closed(Http2Stream* stream, std::uint32_t code) {
  if (stream == nullptr) return;
  const bool is_over = stream->reading == Reading::kDone && stream->writing == Writing::kDone;
  if (!is_over && stream->reading != Reading::kGone && !stream->is_reset_by_us) {
    const bool is_refused = code == NGHTTP2_REFUSED_STREAM;
    report(*stream,
           {is_refused ? Fault::kRefused : Fault::kReset,
            "RFC 9113 section 6.8: the stream was not processed"},
           code);
  } else if (stream->is_waiting) {
    events->add(Kind::kDrained).stream = stream->number;
  }
  if (direct_stream == stream) direct_stream = nullptr;
  forget(*stream);
}

void Http2Session::break_off(Http2Stream& stream, Http2Error why, Refusal refusal) {
  submit_reset(stream, why);
  report(stream, refusal, 0);
}

void Http2Session::break_off_unsent(Http2Stream* stream) {
  if (stream == nullptr || stream->reading == Reading::kGone) return;
  stream->is_reset_by_us = true;
  break_off(*stream, Http2Error::kInternalError,
            {Fault::kReset, "RFC 9113 section 4.3: a head too large to be sent"});
}

void Http2Session::report(Http2Stream& stream, Refusal refusal, std::uint32_t code) {
  constexpr std::uint32_t kCodeMax = 0xffff;
  const bool is_from_peer = refusal.fault == Fault::kReset || refusal.fault == Fault::kRefused;
  StreamEvent& event = events->add(Kind::kFault);
  event.stream = stream.number;
  event.fault = role == CodecRole::kServer || is_from_peer ? refusal.fault : Fault::kBadResponse;
  event.code = static_cast<std::uint16_t>(std::min(code, kCodeMax));
  event.reason = refusal.reason;
  event.bytes = {};
  stream.reading = Reading::kGone;
  stream.writing = Writing::kDone;
  leave_arena(stream);
  stream.is_waiting = false;
  stream.queue.clear();
}

}  // namespace limpet
