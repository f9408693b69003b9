// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "daemon/http/framing.h"
#include "daemon/http/http2_codec.h"
#include "daemon/http/http2_head_writer.h"
#include "daemon/http/http2_session.h"

namespace limpet {

namespace {

using Reading = Http2Stream::Reading;
using Writing = Http2Stream::Writing;
using Outcome = Http2Session::DataPlan::Outcome;

// Pieces up to this size wait for collect(), so that they share a frame with the end behind them.
constexpr std::size_t kHeldBytesMax = 4096;

[[nodiscard]] bool has_fields(const HeaderList* list) noexcept {
  if (list == nullptr) return false;
  const auto fields = list->fields();
  return std::any_of(fields.begin(), fields.end(),
                     [](const Field& field) { return !field.is_removed(); });
}

// Whether `bytes` may go in whole, as the windows stand. That of a stream is what it began with,
// what the peer gave it since, and less what was framed.
[[nodiscard]] bool fits_windows(const Http2Session& session, const Http2Stream& stream,
                                std::size_t bytes) noexcept {
  nghttp2_session* const library = session.library;
  const auto wanted = static_cast<std::int32_t>(bytes);
  if (nghttp2_session_get_remote_window_size(library) < wanted) return false;
  return session.peer_window_bytes >= stream.framed_bytes + bytes ||
         nghttp2_session_get_stream_remote_window_size(
             library, static_cast<std::int32_t>(stream.number)) >= wanted;
}

// RFC 9113 section 4.1.
constexpr std::size_t kTypeAt = 3;
constexpr std::size_t kFlagsAt = 4;
constexpr std::size_t kFrameHeaderBytes = 9;
// What every peer takes; section 4.2.
constexpr std::size_t kPayloadBytesMax = 16 * 1024;

void set_length(char* frame, std::size_t bytes) noexcept {
  frame[0] = static_cast<char>(bytes >> 16);
  frame[1] = static_cast<char>(bytes >> 8 & 0xff);
  frame[2] = static_cast<char>(bytes & 0xff);
}

// Appends a HEADERS frame that is larger than a frame may be as several; section 6.10.
void split_head(Buffer& to, std::string_view frame) {
  std::array<char, kFrameHeaderBytes> header{};
  std::memcpy(header.data(), frame.data(), header.size());
  const std::string block(frame.substr(kFrameHeaderBytes));
  std::string_view rest = block;
  header[kFlagsAt] &= ~NGHTTP2_FLAG_END_HEADERS;
  while (!rest.empty()) {
    const std::string_view payload = rest.substr(0, kPayloadBytesMax);
    rest.remove_prefix(payload.size());
    if (rest.empty()) header[kFlagsAt] |= NGHTTP2_FLAG_END_HEADERS;
    set_length(header.data(), payload.size());
    to.append({header.data(), header.size()});
    to.append(payload);
    header[kTypeAt] = NGHTTP2_CONTINUATION;
    header[kFlagsAt] = 0;
  }
}

}  // namespace

std::uint32_t Http2Codec::write_request(const RequestHead& head) {
  Http2Session& session = awake();
  // Above the replica's limit the library would keep the head, which it has not copied.
  if (!takes_streams() || session.streams_open >= streams_allowed()) return 0;
  Http2Stream& stream = session.open();
  stream.method = head.method;
  stream.is_websocket = !head.upgrade.empty();
  const std::uint32_t number = submit_request(session, stream, head);
  if (number == 0) session.forget(stream);
  return number;
}

void Http2Codec::write_response(std::uint32_t number, const ResponseHead& head) {
  Http2Stream* const stream = awake().find(number);
  if (stream == nullptr || stream->writing != Writing::kHead) return;
  const bool is_tunnel = head.status == 101;
  // RFC 8441 section 5: a 2xx would say that the websocket is there, which only a 101 meant.
  const bool is_misunderstood = stream->is_websocket && head.status / 100 == 2;
  const std::uint16_t status = is_tunnel ? 200 : is_misunderstood ? 502 : head.status;
  const bool is_whole = !is_tunnel && (stream->method == Method::kHead || is_bodiless(status) ||
                                       head.body.kind == BodyLength::Kind::kNone);
  stream->writing = is_whole ? Writing::kEnding : Writing::kBody;
  if (head.body.kind == BodyLength::Kind::kKnown && head.version != HttpVersion::kHttp2)
    stream->body_left_bytes = head.body.bytes;
  submit_response(*session_, *stream, head, status,
                  is_whole ? HeadEnds::kHalf : HeadEnds::kNothing);
}

void Http2Codec::write_informational(std::uint32_t number, const ResponseHead& head) {
  Http2Stream* const stream = awake().find(number);
  if (stream == nullptr || stream->writing != Writing::kHead) return;
  submit_informational(*session_, *stream, head);
}

void Http2Codec::write_body(std::uint32_t number, std::string_view bytes, Buffer& out) {
  Http2Session& session = awake();
  Http2Stream* stream = session.find(number);
  if (stream == nullptr || stream->writing != Writing::kBody || bytes.empty()) return;
  session.resume(*stream);
  if (bytes.size() >= stream->body_left_bytes) stream->writing = Writing::kEnding;
  stream->body_left_bytes -= std::min<std::uint64_t>(bytes.size(), stream->body_left_bytes);
  const std::size_t held_bytes = stream->queue.size() + bytes.size();
  if (!stream->is_waiting && held_bytes <= kHeldBytesMax &&
      fits_windows(session, *stream, held_bytes)) {
    stream->queue.append(bytes);
    return;
  }
  session.direct_stream = stream;
  session.direct = bytes;
  session.give_staged(out);
  session.make_frames(out, Http2Session::Data::kAllowed);
  // The stream may be gone by now.
  stream = std::exchange(session.direct_stream, nullptr);
  const std::string_view rest = std::exchange(session.direct, {});
  if (stream == nullptr || rest.empty()) return;
  stream->queue.append(rest);
  session.begin_waiting(*stream);
}

void Http2Codec::write_end(std::uint32_t number, const HeaderList* trailers) {
  Http2Stream* const stream = awake().find(number);
  if (stream == nullptr || stream->writing != Writing::kBody) return;
  stream->writing = Writing::kEnding;
  if (!has_fields(trailers)) {
    session_->resume(*stream);
  } else if (stream->queue.is_empty()) {
    submit_trailers(*session_, *stream, *trailers);
  } else {
    keep_trailers(*trailers, stream->trailers);
    session_->resume(*stream);
  }
}

void Http2Codec::reset(std::uint32_t number, Http2Error why) {
  Http2Stream* const stream = awake().find(number);
  if (stream == nullptr || stream->is_reset_by_us) return;
  if (why == Http2Error::kNoError && stream->writing == Writing::kEnding) {
    stop_reading(number);
    return;
  }
  stream->is_reset_by_us = true;
  if (stream->reading != Reading::kGone) session_->submit_reset(*stream, why);
  stream->reading = Reading::kGone;
  stream->writing = Writing::kDone;
  session_->leave_arena(*stream);
  stream->is_waiting = false;
  stream->queue.clear();
}

void Http2Codec::collect(Buffer& out, StreamEvents& events) {
  Http2Session& session = awake();
  session.give_late(events);
  session.events = &events;
  session.give_staged(out);
  session.make_frames(out, Http2Session::Data::kAllowed);
  if (session.is_flooded) {
    session.terminate(Http2Error::kEnhanceYourCalm);
    session.make_frames(out, Http2Session::Data::kHeld);
  }
  session.conclude_if_over();
  session.events = &session.late;
}

// Frames
// ------------------------------------------------------------------------------------------------------

void Http2Session::give_late(StreamEvents& to) {
  if (late.empty()) return;
  for (const StreamEvent& event : late)
    to.add(event.kind) = event;
  late.clear();
}

void Http2Session::give_staged(Buffer& to) {
  if (staged.is_empty()) return;
  if (to.is_empty()) {
    to = std::move(staged);
  } else {
    to.append(staged.view());
  }
  staged.clear();
}

void Http2Session::stage() { make_frames(staged, Data::kHeld); }

void Http2Session::stage(const FieldBlock& block) {
  block_to_send = &block;
  stage();
  block_to_send = nullptr;
}

// The library has framed a head without its fields; those take the place of what it wrote instead.
void Http2Session::put_head(Buffer& to, std::string_view made) {
  const Buffer kept = std::move(trailers_to_send);
  const FieldBlock trailers(kept.view());
  const FieldBlock* const block =
      kept.is_empty() ? std::exchange(block_to_send, nullptr) : &trailers;
  // A head that the library has kept to itself, though it may not.
  if (block == nullptr) return terminate(Http2Error::kInternalError);
  char* const frame = to.reserve(kFrameHeaderBytes + block->bytes_max());
  char* const fields = frame + kFrameHeaderBytes;
  std::memcpy(frame, made.data(), kFrameHeaderBytes);
  const auto bytes =
      static_cast<std::size_t>(block->put(encoder.begin_block(fields), encoder) - fields);
  if (bytes <= kPayloadBytesMax) [[likely]] {
    set_length(frame, bytes);
    to.commit(kFrameHeaderBytes + bytes);
  } else {
    split_head(to, {frame, kFrameHeaderBytes + bytes});
  }
}

void Http2Session::make_frames(Buffer& to, Data data) {
  out = &to;
  data_allowed = data;
  for (;;) {
    if (data == Data::kAllowed && to.size() >= Http2Codec::kOutBytesMax) break;
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(library, &bytes);
    if (count < 0) {
      is_terminated = true;
      conclude();
    }
    if (count <= 0) break;
    const std::string_view made(reinterpret_cast<const char*>(bytes),
                                static_cast<std::size_t>(count));
    if (bytes[kTypeAt] == NGHTTP2_HEADERS) {
      put_head(to, made);
    } else {
      to.append(made);
    }
    // Behind the last of them the library would only ask for data.
    if (data == Data::kHeld && nghttp2_session_get_outbound_queue_size(library) == 0) break;
  }
  memory.leave_workbench();
  out = nullptr;
  data_allowed = Data::kHeld;
}

Http2Session::DataPlan Http2Session::plan_data(Http2Stream& stream, std::size_t bytes_max) {
  if (data_allowed == Data::kHeld || out->size() >= Http2Codec::kOutBytesMax) {
    return {Outcome::kPaused};
  }
  const std::size_t direct_bytes = direct_stream == &stream ? direct.size() : 0;
  const std::size_t queued = stream.queue.size();
  const std::size_t available = queued > 0 ? queued : direct_bytes;
  const std::size_t bytes = std::min(available, bytes_max);
  if (stream.writing == Writing::kEnding && bytes == queued + direct_bytes) {
    if (stream.trailers.is_empty()) return {Outcome::kLast, bytes};
    submit_kept_trailers(*this, stream);
    return {Outcome::kLastBeforeTrailers, bytes};
  }
  if (bytes > 0) return {Outcome::kSome, bytes};
  stream.is_deferred = true;
  return {Outcome::kDeferred};
}

void Http2Session::put_data(Http2Stream& stream, std::string_view frame_header, std::size_t bytes) {
  static_cast<void>(out->reserve(frame_header.size() + bytes));
  out->append(frame_header);
  found_last = &stream;
  if (bytes == 0) return;
  stream.framed_bytes += bytes;
  floods.on_data_sent();
  if (stream.queue.is_empty()) {
    out->append(direct.substr(0, bytes));
    direct.remove_prefix(bytes);
    return;
  }
  out->append(stream.queue.view().substr(0, bytes));
  stream.queue.consume(bytes);
  if (stream.is_waiting && stream.queue.is_empty()) {
    stream.is_waiting = false;
    events->add(StreamEvent::Kind::kDrained).stream = stream.number;
  }
}

void Http2Session::resume(Http2Stream& stream) {
  if (!stream.is_deferred) return;
  stream.is_deferred = false;
  nghttp2_session_resume_data(library, static_cast<std::int32_t>(stream.number));
}

// Among streams that wait, those of clients that named no order share alike (RFC 9218 section 10
// would serve them one after the other).
void Http2Session::begin_waiting(Http2Stream& stream) {
  if (stream.is_waiting) return;
  stream.is_waiting = true;
  if (role == CodecRole::kClient || stream.has_priority) return;
  const nghttp2_extpri shared = {NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
  nghttp2_session_change_extpri_stream_priority(library, static_cast<std::int32_t>(stream.number),
                                                &shared, 0);
}

void Http2Session::on_half_ended(Http2Stream* stream) {
  if (stream == nullptr) return;
  if (stream->writing != Writing::kDone) stream->writing = Writing::kDone;
  if (!stream->is_to_be_reset || stream->reading != Reading::kDropped) return;
  stream->is_reset_by_us = true;
  stream->reading = Reading::kGone;
  submit_reset(*stream, Http2Error::kNoError);
}

}  // namespace limpet
