// SPDX-License-Identifier: Apache-2.0
// The library's callbacks: each hands what it was told to Http2Session, which records it. None
// calls out of the codec, none calls the library back but to submit.
#include <utility>

#include <nghttp2/nghttp2.h>

#include "daemon/base/check.h"
#include "daemon/http/http2_session.h"

namespace limpet {

namespace {

[[nodiscard]] Http2Session& session_of(void* session) noexcept {
  return *static_cast<Http2Session*>(session);
}

[[nodiscard]] std::uint32_t number_of(const nghttp2_frame& frame) noexcept {
  return static_cast<std::uint32_t>(frame.hd.stream_id);
}

[[nodiscard]] Http2Stream* stream_of(const Http2Session& session,
                                     const nghttp2_frame& frame) noexcept {
  return session.find(number_of(frame));
}

[[nodiscard]] std::string_view text(const std::uint8_t* data, std::size_t bytes) noexcept {
  return {reinterpret_cast<const char*>(data), bytes};
}

[[nodiscard]] EndOfStream end_of(const nghttp2_frame& frame) noexcept {
  return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 ? EndOfStream::kYes : EndOfStream::kNo;
}

int on_begin_frame(nghttp2_session* library, const nghttp2_frame_hd* header, void* user) {
  if (header->type != NGHTTP2_SETTINGS) return 0;
  session_of(user).queued_before_settings = nghttp2_session_get_outbound_queue_size(library);
  return 0;
}

int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  Http2Session& session = session_of(user);
  const bool is_new = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  session.begin_block(number_of(*frame), is_new ? nullptr : stream_of(session, *frame));
  return 0;
}

int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
              std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
              std::uint8_t, void* user) {
  Http2Session& session = session_of(user);
  if (session.head_reader.add(text(name, name_bytes), text(value, value_bytes))) return 0;
  session.break_off_block(stream_of(session, *frame));
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// RFC 9113 section 8.2.1: such a field makes the message malformed.
int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                      const std::uint8_t*, std::size_t, std::uint8_t, void*) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// RFC 9113 section 6.9.2: where the initial window makes a stream's window too large, the library
// resets the stream, but the connection must end. All else it queues is the acknowledgement.
void on_settings(nghttp2_session* library, Http2Session& session) {
  session.has_peer_settings = true;
  session.encoder.limit_table(
      nghttp2_session_get_remote_settings(library, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE));
  session.peer_window_bytes =
      nghttp2_session_get_remote_settings(library, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
  const std::size_t queued = nghttp2_session_get_outbound_queue_size(library);
  if (queued > session.queued_before_settings + 1) session.terminate(Http2Error::kFlowControlError);
}

int on_frame_recv(nghttp2_session* library, const nghttp2_frame* frame, void* user) {
  Http2Session& session = session_of(user);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      session.finish_block(stream_of(session, *frame), end_of(*frame));
      break;
    case NGHTTP2_DATA:
      if (end_of(*frame) == EndOfStream::kNo) break;
      if (Http2Stream* stream = stream_of(session, *frame)) session.finish_reading(*stream);
      break;
    case NGHTTP2_RST_STREAM:
      session.on_reset(stream_of(session, *frame), frame->rst_stream.error_code);
      break;
    case NGHTTP2_SETTINGS:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) on_settings(library, session);
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) session.pings_unanswered = 0;
      break;
    case NGHTTP2_GOAWAY:
      session.on_goaway(static_cast<std::uint32_t>(frame->goaway.last_stream_id));
      break;
    default:
      break;
  }
  return 0;
}

int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t number, const std::uint8_t* data,
                  std::size_t bytes, void* user) {
  Http2Session& session = session_of(user);
  session.take_data(session.find(static_cast<std::uint32_t>(number)), text(data, bytes));
  return 0;
}

int on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
  Http2Session& session = session_of(user);
  const char* reason = "RFC 9113 section 5.4.2: a frame that the stream's state forbids";
  if (error == NGHTTP2_ERR_HTTP_HEADER) reason = "RFC 9113 section 8.2: malformed field";
  if (error == NGHTTP2_ERR_HTTP_MESSAGING) reason = "RFC 9113 section 8.1.1: malformed message";
  if (error == NGHTTP2_ERR_FLOW_CONTROL) reason = "RFC 9113 section 6.9.1: window overflow";
  if (number_of(*frame) != 0) session.on_breach(stream_of(session, *frame), reason);
  return 0;
}

int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  Http2Session& session = session_of(user);
  if (frame->hd.type == NGHTTP2_RST_STREAM) {
    session.on_reset_sent(number_of(*frame), stream_of(session, *frame));
  } else if (frame->hd.type == NGHTTP2_GOAWAY) {
    ++session.goaways.sent;
  } else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
             end_of(*frame) == EndOfStream::kYes) {
    Http2Stream* const stream = stream_of(session, *frame);
    // The stream may be over before its last frame is written.
    if (frame->hd.type == NGHTTP2_HEADERS && stream != nullptr)
      session.trailers_to_send = std::move(stream->trailers);
    session.on_half_ended(stream);
  }
  return 0;
}

// A head that is too large for the library, or a stream that ended meanwhile.
int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
  Http2Session& session = session_of(user);
  if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_FRAME_SIZE_ERROR) return 0;
  session.break_off_unsent(stream_of(session, *frame));
  return 0;
}

int on_stream_close(nghttp2_session*, std::int32_t number, std::uint32_t code, void* user) {
  Http2Session& session = session_of(user);
  session.on_stream_closed(session.find(static_cast<std::uint32_t>(number)), code);
  return 0;
}

int on_send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_header,
                 std::size_t bytes, nghttp2_data_source* source, void* user) {
  constexpr std::size_t kFrameHeaderBytes = 9;
  session_of(user).put_data(*static_cast<Http2Stream*>(source->ptr),
                            text(frame_header, kFrameHeaderBytes), bytes);
  return 0;
}

}  // namespace

const nghttp2_session_callbacks* http2_callbacks() {
  static const nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* set = nullptr;
    CHECK_THAT(nghttp2_session_callbacks_new(&set) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(set, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(set, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(set, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(set, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(set, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(set, on_data_chunk);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(set, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(set, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(set, on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(set, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(set, on_send_data);
    return set;
  }();
  return made;
}

}  // namespace limpet
