// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Session: what an Http2Codec keeps: the library's session, our record of each open
// stream, and where frames and events go while the library is at work. Private to the codec's
// sources: http2_codec.cc, http2_codec_read.cc, http2_codec_write.cc.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "daemon/base/buffer.h"
#include "daemon/base/list.h"
#include "daemon/http/http2_codec.h"
#include "daemon/http/http2_field_encoder.h"
#include "daemon/http/http2_frame_scan.h"
#include "daemon/http/http2_head_reader.h"
#include "daemon/http/http2_memory.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace limpet {

class FieldBlock;

/// Our record of an open stream; the library's stream points to it.
///
///   reading:  kHead ──final head──► kBody ──END_STREAM──► kDone
///                └── a fault that an answer names ──► kDropped (what comes is thrown away)
///             kBody ──stop_reading()──► kDropped
///   writing:  kHead ──final head──► kBody ──write_end()──► kEnding ──all framed──► kDone
///                └── a head without a body ──► kDone
///   any ──reset by either side──► kGone: the library is about to close it
struct Http2Stream : ListNode<Http2Stream> {
  enum class Reading : std::uint8_t { kHead, kBody, kDone, kDropped, kGone };
  enum class Writing : std::uint8_t { kHead, kBody, kEnding, kDone };

  Arena* arena = nullptr;  ///< of the head, for trailers; null when the head's owner is gone
  Buffer queue;            ///< body bytes not framed yet
  Buffer trailers;         ///< that wait behind the queue, and for their frame then;
                           ///< http2_head_writer.h has their form
  /// Of the body being written, where HTTP/1 announced its length, which leaves no room for
  /// trailers: its last byte ends the stream. The library gives no frame to an end alone while the
  /// window is shut.
  std::uint64_t body_left_bytes = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t framed_bytes = 0;  ///< of the body
  std::uint32_t number = 0;
  FieldCharge charge;
  Reading reading = Reading::kHead;
  Writing writing = Writing::kHead;
  Method method = Method::kOther;  ///< of the request
  std::uint8_t informational = 0;  ///< 1xx heads read
  bool is_websocket : 1 = false;   ///< began as an extended CONNECT
  bool is_deferred : 1 = false;    ///< the library does not ask for data until told to
  bool is_waiting : 1 = false;     ///< the queue waits for a window; kDrained is owed
  bool has_priority : 1 = false;   ///< the client said how urgent it is
  bool is_reset_by_us : 1 = false;
  bool is_to_be_reset : 1 = false;  ///< with kNoError, when our half has ended
};

/// The library's session with all that belongs to it.
struct Http2Session : private OpenStreams {
  Http2Session(CodecRole its_role, const CodecLimits& its_limits,
               const Http2Settings& its_settings);
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;
  ~Http2Session() override;

  // http2_codec.cc
  [[nodiscard]] Http2Stream* find(std::uint32_t number) const noexcept;
  /// A record for a stream whose number may not be known yet.
  [[nodiscard]] Http2Stream& open();
  void forget(Http2Stream& stream) noexcept;
  void submit_reset(Http2Stream& stream, Http2Error why);
  void terminate(Http2Error why);
  /// What the peer made us keep: the library's state, heads of open streams, frames it has not
  /// taken.
  [[nodiscard]] std::size_t provoked_bytes() const noexcept {
    return memory.bytes_in_use() + head_bytes + staged.size();
  }
  void conclude();
  void conclude_if_over();

  // http2_codec_read.cc: what the library's callbacks record
  void begin_block(std::uint32_t number, Http2Stream* stream);
  /// The stream's memory goes away: nothing more is put there, by a block under way neither.
  void leave_arena(Http2Stream& stream) noexcept;
  /// The rest of the block is not wanted.
  void break_off_block(Http2Stream* stream);
  void finish_block(Http2Stream* stream, EndOfStream end);
  void take_data(Http2Stream* stream, std::string_view bytes);
  void finish_reading(Http2Stream& stream);
  void on_reset(Http2Stream* stream, std::uint32_t code);
  void on_goaway(std::uint32_t last_stream);
  void on_breach(Http2Stream* stream, const char* reason);
  void on_reset_sent(std::uint32_t number, Http2Stream* stream);
  void on_stream_closed(Http2Stream* stream, std::uint32_t code);

  // http2_codec_write.cc
  enum class Data : std::uint8_t { kHeld, kAllowed };
  /// Makes frames of what is queued, into `to`; of bodies only where allowed.
  void make_frames(Buffer& to, Data data);
  /// Makes all frames but those of bodies now: what they are made of need not live on.
  void stage();
  /// The same; the head that was just submitted says `block`.
  void stage(const FieldBlock& block);
  void give_staged(Buffer& to);
  void give_late(StreamEvents& to);
  /// What the library may put into a stream's next frame of data.
  struct DataPlan {
    enum class Outcome : std::uint8_t { kPaused, kDeferred, kSome, kLast, kLastBeforeTrailers };
    Outcome outcome;
    std::size_t bytes = 0;
  };
  [[nodiscard]] DataPlan plan_data(Http2Stream& stream, std::size_t bytes_max);
  /// Writes one frame of data as planned.
  void put_data(Http2Stream& stream, std::string_view frame_header, std::size_t bytes);
  void resume(Http2Stream& stream);
  void begin_waiting(Http2Stream& stream);
  void on_half_ended(Http2Stream* stream);
  /// A head was too large to be sent.
  void break_off_unsent(Http2Stream* stream);

 private:
  [[nodiscard]] bool is_open(std::uint32_t number) const noexcept override {
    return find(number) != nullptr;
  }
  void put_head(Buffer& to, std::string_view made);
  void finish_request(Http2Stream& stream, EndOfStream end);
  void finish_response(Http2Stream& stream, EndOfStream end);
  void finish_trailers(Http2Stream& stream, EndOfStream end);
  void break_off(Http2Stream& stream, Http2Error why, Refusal refusal);
  void report(Http2Stream& stream, Refusal refusal, std::uint32_t code);

 public:
  CodecRole role;
  CodecLimits limits;
  std::string_view scheme;
  Http2FloodLimits flood_limits;
  Http2Floods floods{flood_limits};
  Http2Memory memory;
  nghttp2_session* library = nullptr;
  Http2FieldEncoder encoder{memory};
  Http2FrameScan scan{role, *this};
  Http2HeadReader head_reader{limits};
  const Http2Stream* block_stream = nullptr;  ///< of the field block under way
  List<Http2Stream> streams;
  mutable Http2Stream* found_last = nullptr;  ///< one call is seldom the last for its stream
  std::size_t head_bytes = 0;                 ///< charged for the heads of all open streams
  std::uint32_t streams_open = 0;

  // Valid while the library is at work.
  HeadHome* home = nullptr;
  StreamEvents* events = &late;
  Buffer* out = nullptr;
  Data data_allowed = Data::kHeld;
  Http2Stream* direct_stream = nullptr;       ///< whose bytes `direct` are
  std::string_view direct;                    ///< given to write_body(), not copied
  const FieldBlock* block_to_send = nullptr;  ///< of the head that was submitted last
  Buffer trailers_to_send;                    ///< of the frame being made, where they have waited

  Buffer staged;      ///< frames made before collect() was called
  StreamEvents late;  ///< what happened when nobody had asked for events
  Instant now{};      ///< of the last feed()
  Http2Goaways goaways;
  std::uint32_t peer_window_bytes = 65535;  ///< what its streams begin with
  std::size_t queued_before_settings = 0;   ///< frames, when SETTINGS began
  std::uint32_t pings_unanswered = 0;
  bool has_peer_settings = false;
  bool has_goaway = false;     ///< the peer takes no more streams
  std::uint8_t announced = 0;  ///< how often announce_end() was called
  bool is_concluded = false;   ///< kConcluded was reported
  bool is_terminated = false;  ///< nothing more is read
  bool is_flooded = false;     ///< a budget was exceeded while the library was at work
};

[[gnu::always_inline]] inline Http2Session& Http2Codec::awake() const noexcept {
  if (session_->memory.is_resting()) [[unlikely]]
    session_->memory.wake();
  return *session_;
}

/// The library's callbacks, one set for all sessions (http2_callbacks.cc).
[[nodiscard]] const nghttp2_session_callbacks* http2_callbacks();

}  // namespace limpet
