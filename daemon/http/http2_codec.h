// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Codec: RFC 9113 for one connection, either side of it, on nghttp2, whose home this is. Bytes
// in, StreamEvents out; heads, body pieces and trailers in, bytes out. No sockets, no clock; its
// callbacks only append. Neighbours: http1_codec.h is the other version, codec.h chooses,
// http2_floods.h says what a peer may do how often.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "daemon/base/buffer.h"
#include "daemon/base/clock.h"
#include "daemon/http/http1_codec.h"
#include "daemon/http/http2_floods.h"
#include "daemon/http/stream_event.h"

namespace limpet {

struct Http2Session;

/// What an HTTP/2 connection is set up with.
struct Http2Settings {
  std::uint32_t streams_max = 100;            ///< that the peer may have open; limits.http2_streams
  std::uint32_t stream_window_bytes = 65535;  ///< limits.buffer_bytes, at least 16 KiB
  std::uint32_t connection_window_bytes = 1024 * 1024;
  std::string_view scheme = "http";  ///< client role, static text: of requests that name none
  Http2FloodLimits floods;
};

/// Why a stream is reset; RFC 9113 section 7.
enum class Http2Error : std::uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kFlowControlError = 3,
  kStreamClosed = 5,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11,
};

/// GOAWAY frames since they were asked for last.
struct Http2Goaways {
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
};

/// One HTTP/2 connection's reading and writing. Streams are named by their number.
///
/// Heads are the same as in HTTP/1 (message.h): an extended CONNECT (RFC 8441) for "websocket" is
/// read as a GET with `upgrade` = "websocket" and written as one where a request has that; its 2xx
/// is a 101 with a kTunnel body on both ways through. Pseudo-header fields never appear in
/// `fields`; :authority is `authority` and also a Host field; cookie crumbs come joined with "; ".
class Http2Codec {
 public:
  Http2Codec(CodecRole role, const CodecLimits& limits, const Http2Settings& settings);
  Http2Codec(Http2Codec&& other) noexcept;
  Http2Codec& operator=(Http2Codec&& other) noexcept;
  Http2Codec(const Http2Codec&) = delete;
  Http2Codec& operator=(const Http2Codec&) = delete;
  ~Http2Codec();

  // -- reading
  // ---------------------------------------------------------------------------------------------

  /// Reads `bytes`, all of them, and appends what they say to `events`, each with its stream:
  ///   kRequestHead, kResponseHead, kInformational, kBody, kTrailers, kEnd as in HTTP/1;
  ///   kFault with kReset: the peer reset the stream (`code` says why);
  ///   kFault with another fault: the peer broke a rule there, and limpet reset the stream;
  ///   kDrained: what was queued on the stream by write_body() has all been framed;
  ///   kGoaway: the peer takes no more streams; those above `stream` were not and will not be
  ///   processed, and a kFault with kRefused follows for each of them that was open;
  ///   kConcluded with stream 0: the connection is of no more use (a connection error, or too much
  ///   of something, http2_floods.h): what collect() still gives is to be sent, then it is closed.
  /// A head's memory is taken from `home`, for requests when the stream begins; every arena taken
  /// for a request is followed by its head or a kFault of that stream.
  /// `now` is for the flood windows.
  void feed(std::string_view bytes, Instant now, HeadHome& home, StreamEvents& events);
  /// The bytes of a stream's body have gone where they were going: the peer may send as many more
  /// (RFC 9113 section 6.9). The connection's own window is given back at once while reading.
  void credit(std::uint32_t stream, std::size_t bytes);

  // -- writing: into the queues here; collect() makes bytes of them
  // -------------------------------------------------------------------------------

  /// Client role. Begins a stream. Returns its number, 0 where the connection takes none any more,
  /// or none now: streams_allowed() are open.
  [[nodiscard]] std::uint32_t write_request(const RequestHead& head);
  /// Server role. A final head; `head.body` kNone ends the stream with it.
  void write_response(std::uint32_t stream, const ResponseHead& head);
  /// Server role. A 1xx head other than 101.
  void write_informational(std::uint32_t stream, const ResponseHead& head);
  /// Frames as much of `bytes` into `out` as windows and the room below kOutBytesMax allow,
  /// after all that waits already; the rest is copied and waits. Small pieces that the windows
  /// allow are held until collect(), so that they share a frame with what follows.
  void write_body(std::uint32_t stream, std::string_view bytes, Buffer& out);
  /// Ends our half of the stream; `trailers` may be null.
  void write_end(std::uint32_t stream, const HeaderList* trailers);
  /// Forgets what waits, and says why. kNoError lets what was written up to write_end() go first.
  void reset(std::uint32_t stream, Http2Error why);
  /// Server role. Nobody wants the rest of the request: what still comes of it is dropped, and when
  /// our half has ended the stream is reset with kNoError (RFC 9113 section 8.1).
  void stop_reading(std::uint32_t stream);
  /// Appends to `out` the bytes of all frames that may be sent now, until it holds about
  /// `kOutBytesMax`. Streams whose queue became empty are reported as kDrained, those whose head
  /// could not be sent with a kFault, an end that comes by it as kConcluded.
  void collect(Buffer& out, StreamEvents& events);
  static constexpr std::size_t kOutBytesMax = 256 * 1024;
  /// Frames that are made already and wait for collect(): heads, and answers to frames of the peer.
  [[nodiscard]] std::size_t staged_bytes() const noexcept;

  /// Body bytes of the stream that wait for a window.
  [[nodiscard]] std::size_t queued_bytes(std::uint32_t stream) const noexcept;
  /// Whether a response to the stream's request carries a body (false for HEAD).
  [[nodiscard]] bool carries_body(std::uint32_t stream) const noexcept;

  // -- the connection
  // --------------------------------------------------------------------------------------

  /// Says that no new streams will be taken (GOAWAY with the highest number, RFC 9113 section 6.8),
  /// then, called a second time, that none above the last one are.
  void announce_end();
  /// The connection ends for a reason: GOAWAY, and nothing more is read.
  void end(Http2Error why);
  /// Nothing has been said for a while: with no stream open, most of the memory is given back until
  /// there is something to do again.
  void rest();
  /// Asks for a sign of life; pings_unanswered() counts until it comes.
  void ping();
  [[nodiscard]] std::uint32_t pings_unanswered() const noexcept;
  /// Streams that are open, of either side's making.
  [[nodiscard]] std::uint32_t streams_open() const noexcept;
  /// Client role: how many streams the replica allows at a time, as far as known.
  [[nodiscard]] std::uint32_t streams_allowed() const noexcept;
  /// Client role: whether the replica takes an extended CONNECT (RFC 8441 section 3), and whether
  /// its settings have come, which say so.
  [[nodiscard]] bool allows_connect_protocol() const noexcept;
  [[nodiscard]] bool has_peer_settings() const noexcept;
  /// Whether new streams can begin: no GOAWAY either way, numbers left.
  [[nodiscard]] bool takes_streams() const noexcept;
  /// A field block has begun and is not complete: the head's timeout runs.
  [[nodiscard]] bool is_in_head() const noexcept;
  /// Budgets exceeded since the last call, for the counters.
  [[nodiscard]] Http2FloodReport take_flood_report() noexcept;
  [[nodiscard]] Http2Goaways take_goaways() noexcept;
  /// Memory held for this connection by codec and library, within a few per cent.
  [[nodiscard]] std::size_t bytes_in_use() const noexcept;

 private:
  /// The session, with the library's state in memory.
  [[nodiscard]] Http2Session& awake() const noexcept;

  std::unique_ptr<Http2Session> session_;
};

}  // namespace limpet
