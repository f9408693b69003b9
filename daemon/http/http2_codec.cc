// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_codec.h"

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "daemon/base/check.h"
#include "daemon/http/http2_session.h"

namespace limpet {

namespace {

// The library's own guards against floods, which know no report and no name: those of
// http2_floods.h stand in their place.
constexpr std::size_t kNoContinuationsMax = std::numeric_limits<std::size_t>::max() / 2;
constexpr std::uint64_t kNoResetRate = std::numeric_limits<std::uint32_t>::max();
// For heads on their way out: far above limits.header_bytes and what limpet adds.
constexpr std::size_t kSentHeadBytesMax = std::size_t{1} << 20;

[[nodiscard]] const nghttp2_option* options() {
  static const nghttp2_option* const made = [] {
    nghttp2_option* option = nullptr;
    CHECK_THAT(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_continuations(option, kNoContinuationsMax);
    nghttp2_option_set_stream_reset_rate_limit(option, kNoResetRate, kNoResetRate);
    nghttp2_option_set_max_send_header_block_length(option, kSentHeadBytesMax);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, 0);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    return option;
  }();
  return made;
}

[[nodiscard]] Http2Memory& memory_of(void* memory) noexcept {
  return *static_cast<Http2Memory*>(memory);
}
void* take(std::size_t bytes, void* memory) { return memory_of(memory).take(bytes); }
void give(void* piece, void* memory) { memory_of(memory).give(piece); }
void* take_zeroed(std::size_t count, std::size_t bytes, void* memory) {
  return memory_of(memory).take_zeroed(count, bytes);
}
void* resize(void* piece, std::size_t bytes, void* memory) {
  return memory_of(memory).resize(piece, bytes);
}

constexpr std::uint32_t kWindowBytesMin = 16 * 1024;
constexpr std::uint32_t kWindowBytesMax = std::numeric_limits<std::int32_t>::max();

[[nodiscard]] std::uint32_t window(std::uint32_t bytes) noexcept {
  return bytes < kWindowBytesMin   ? kWindowBytesMin
         : bytes > kWindowBytesMax ? kWindowBytesMax
                                   : bytes;
}

// RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1.
void submit_settings(Http2Session& session, const Http2Settings& settings) {
  const bool is_server = session.role == CodecRole::kServer;
  const auto header_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(
      session.limits.header_bytes, std::numeric_limits<std::uint32_t>::max()));
  std::array<nghttp2_settings_entry, 5> entries{};
  std::size_t count = 0;
  entries[count++] = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window(settings.stream_window_bytes)};
  entries[count++] = {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, header_bytes};
  entries[count++] = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                      is_server ? settings.streams_max : 0};
  if (is_server) {
    entries[count++] = {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    entries[count++] = {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
  } else {
    entries[count++] = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  }
  CHECK_THAT(nghttp2_submit_settings(session.library, NGHTTP2_FLAG_NONE, entries.data(), count) ==
             0);
  nghttp2_session_set_local_window_size(
      session.library, NGHTTP2_FLAG_NONE, 0,
      static_cast<std::int32_t>(window(settings.connection_window_bytes)));
}

constexpr std::uint8_t kAnnouncedTwice = 2;

}  // namespace

Http2Session::Http2Session(CodecRole its_role, const CodecLimits& its_limits,
                           const Http2Settings& settings)
    : role(its_role), limits(its_limits), scheme(settings.scheme), flood_limits(settings.floods) {
  nghttp2_mem memory_for_library = {&memory, take, give, take_zeroed, resize};
  const auto make =
      role == CodecRole::kServer ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  memory.lay_ground();
  CHECK_THAT(make(&library, http2_callbacks(), this, options(), &memory_for_library) == 0);
  memory.settle();
  submit_settings(*this, settings);
  // A client's first words are in the making already.
  stage();
}

Http2Session::~Http2Session() {
  memory.wake();
  nghttp2_session_del(library);
  while (Http2Stream* stream = streams.front())
    forget(*stream);
}

Http2Stream* Http2Session::find(std::uint32_t number) const noexcept {
  if (found_last != nullptr && found_last->number == number) return found_last;
  auto* const found = static_cast<Http2Stream*>(
      nghttp2_session_get_stream_user_data(library, static_cast<std::int32_t>(number)));
  if (found != nullptr) found_last = found;
  return found;
}

Http2Stream& Http2Session::open() {
  void* const place = memory.take(sizeof(Http2Stream));
  CHECK_THAT(place != nullptr);
  auto* const stream = new (place) Http2Stream;  // NOLINT(cppcoreguidelines-owning-memory)
  streams.push_back(*stream);
  ++streams_open;
  floods.on_stream_opened();
  return *stream;
}

void Http2Session::forget(Http2Stream& stream) noexcept {
  leave_arena(stream);
  if (found_last == &stream) found_last = nullptr;
  head_bytes -= std::min<std::size_t>(head_bytes, stream.charge.bytes);
  stream.~Http2Stream();
  memory.give(&stream);
  --streams_open;
}

void Http2Session::submit_reset(Http2Stream& stream, Http2Error why) {
  nghttp2_submit_rst_stream(library, NGHTTP2_FLAG_NONE, static_cast<std::int32_t>(stream.number),
                            static_cast<std::uint32_t>(why));
}

void Http2Session::terminate(Http2Error why) {
  if (is_terminated) return;
  is_terminated = true;
  nghttp2_session_terminate_session(library, static_cast<std::uint32_t>(why));
}

void Http2Session::conclude() {
  if (is_concluded) return;
  is_concluded = true;
  static_cast<void>(events->add(StreamEvent::Kind::kConcluded));
}

// Also after a polite end, when the last stream is over, and the library has let go of what it
// framed last.
void Http2Session::conclude_if_over() {
  if (is_terminated) return conclude();
  if (nghttp2_session_want_read(library) != 0) return;
  if (nghttp2_session_want_write(library) != 0) stage();
  if (nghttp2_session_want_write(library) == 0) conclude();
}

Http2Codec::Http2Codec(CodecRole role, const CodecLimits& limits, const Http2Settings& settings)
    : session_(std::make_unique<Http2Session>(role, limits, settings)) {}
Http2Codec::Http2Codec(Http2Codec&& other) noexcept = default;
Http2Codec& Http2Codec::operator=(Http2Codec&& other) noexcept = default;
Http2Codec::~Http2Codec() = default;

void Http2Codec::announce_end() {
  Http2Session& session = awake();
  if (session.is_terminated || session.announced == kAnnouncedTwice) return;
  // A client has no first word: it simply begins no more streams.
  if (++session.announced < kAnnouncedTwice && session.role == CodecRole::kServer) {
    nghttp2_submit_shutdown_notice(session.library);
    return;
  }
  session.announced = kAnnouncedTwice;
  session.scan.stop_judging_streams();
  nghttp2_submit_goaway(session.library, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session.library), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Http2Codec::end(Http2Error why) { awake().terminate(why); }

void Http2Codec::rest() {
  if (session_->streams_open == 0) session_->memory.rest();
}

void Http2Codec::ping() {
  Http2Session& session = awake();
  if (session.is_terminated) return;
  if (nghttp2_submit_ping(session.library, NGHTTP2_FLAG_NONE, nullptr) == 0)
    ++session.pings_unanswered;
}

std::uint32_t Http2Codec::pings_unanswered() const noexcept { return session_->pings_unanswered; }

std::uint32_t Http2Codec::streams_open() const noexcept { return session_->streams_open; }

std::uint32_t Http2Codec::streams_allowed() const noexcept {
  return nghttp2_session_get_remote_settings(awake().library,
                                             NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Http2Codec::allows_connect_protocol() const noexcept {
  return nghttp2_session_get_remote_settings(awake().library,
                                             NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

bool Http2Codec::has_peer_settings() const noexcept { return session_->has_peer_settings; }

bool Http2Codec::takes_streams() const noexcept {
  const Http2Session& session = awake();
  if (session.announced > 0 || session.has_goaway || session.is_terminated ||
      session.is_concluded) {
    return false;
  }
  return session.role == CodecRole::kServer ||
         nghttp2_session_check_request_allowed(session.library) != 0;
}

bool Http2Codec::is_in_head() const noexcept { return session_->scan.is_in_block(); }

Http2FloodReport Http2Codec::take_flood_report() noexcept { return session_->floods.take_report(); }

Http2Goaways Http2Codec::take_goaways() noexcept {
  return std::exchange(session_->goaways, Http2Goaways{});
}

std::size_t Http2Codec::queued_bytes(std::uint32_t number) const noexcept {
  const Http2Stream* const stream = awake().find(number);
  return stream != nullptr && stream->is_waiting ? stream->queue.size() : 0;
}

bool Http2Codec::carries_body(std::uint32_t number) const noexcept {
  const Http2Stream* const stream = awake().find(number);
  if (stream == nullptr) return false;
  using Writing = Http2Stream::Writing;
  return stream->writing == Writing::kBody ||
         (stream->writing == Writing::kHead && stream->method != Method::kHead);
}

std::size_t Http2Codec::staged_bytes() const noexcept { return session_->staged.size(); }

std::size_t Http2Codec::bytes_in_use() const noexcept {
  const Http2Session& session = *session_;
  std::size_t bytes = sizeof session + session.memory.bytes_in_use() + session.staged.size();
  if (!session.memory.is_resting()) bytes += session.memory.ground_bytes();
  for (const Http2Stream* one = session.streams.front(); one != nullptr;
       one = session.streams.after(*one)) {
    bytes += one->queue.size() + one->trailers.size();
  }
  return bytes;
}

}  // namespace limpet
