// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http1Codec: RFC 9112 for one connection, either side of it. Bytes in, StreamEvents out; heads,
// body pieces and trailers in, bytes out. No sockets, no clock, no memory of its own beyond
// counters. Neighbours: http1_parser.h reads lines and chunks, framing.h decides body lengths,
// hop_by_hop.h strips; codec.h chooses between this and HTTP/2.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "daemon/base/buffer.h"
#include "daemon/http/framing.h"
#include "daemon/http/http1_parser.h"
#include "daemon/http/stream_event.h"

namespace limpet {

/// Which messages a codec reads.
enum class CodecRole : std::uint8_t {
  kServer,  ///< reads requests, writes responses: the client's connection
  kClient,  ///< reads responses, writes requests: the replica's connection
};

/// One HTTP/1 connection's reading and writing.
///
///   reading:  kHead --head--> kBody ----> kDone --next_message()--> kHead
///               |               |           (nothing is consumed here: pipelined bytes wait with
///               the caller)
///               +----fault------+---------> kBroken (for good)
///             kDone --enter_tunnel()--> kTunnel (every byte is a kBody event)
class Http1Codec {
 public:
  Http1Codec(CodecRole role, const CodecLimits& limits) noexcept : limits_(&limits), role_(role) {}

  // -- reading
  // ---------------------------------------------------------------------------------------------

  /// Reads `bytes` and appends what they say to `events`. Returns how many were used; the caller
  /// keeps the rest and presents it again, with more behind it. Stops at the end of a message: the
  /// next one is read after next_message(). An incomplete head uses nothing (scanning goes on where
  /// it stopped, so that slow heads cost no more); only the empty line that may stand before a
  /// request line is used at once. Behind a 101 or an accepted CONNECT no kEnd comes until the
  /// tunnel ends. The arena of a head serves its trailers too: it must live until kEnd or kFault,
  /// or forget_arena() be called. Client: bytes that nobody asked for are a fault; bytes behind the
  /// end of a response are not used and end keeps_alive(). Errors: a kFault event, after which
  /// feed() uses everything and reports nothing. Cost: one pass over the head, which is copied once
  /// into the arena; bodies are not copied.
  [[nodiscard]] std::size_t feed(std::string_view bytes, HeadHome& home, StreamEvents& events);

  /// The other side closed its half. Ends a close-delimited body or a tunnel direction (kEnd),
  /// reports a cut message (kFault kTruncated), and is silent between messages.
  void on_end_of_bytes(StreamEvents& events);

  /// True while a head has begun to arrive and is not complete (RFC 9112 section 2: the head's
  /// timeout runs).
  [[nodiscard]] bool is_in_head() const noexcept {
    return reading_ == Reading::kHead && scan_.section_bytes() > 0;
  }
  /// True between messages: nothing of the next one has been seen.
  [[nodiscard]] bool is_between_messages() const noexcept {
    return reading_ == Reading::kHead && scan_.section_bytes() == 0;
  }
  [[nodiscard]] bool has_read_message() const noexcept { return reading_ == Reading::kDone; }

  // -- writing
  // ---------------------------------------------------------------------------------------------

  /// Writes a request head. kUnknown bodies are chunked; `upgrade` writes Connection: upgrade and
  /// Upgrade. `authority`, when the head has no Host field, becomes one. Remembers the method for
  /// the response's framing.
  void write_request_head(const RequestHead& head, Buffer& out);

  /// Writes a final response head for the request read last (which it must fit: HEAD and 204/304
  /// get no body whatever is said; HTTP/1.0 clients get no chunks). Writes Connection: close when
  /// the connection will end after this message.
  void write_response_head(const ResponseHead& head, Buffer& out);
  /// Writes a 1xx head (not 101); nothing for an HTTP/1.0 client.
  void write_informational(const ResponseHead& head, Buffer& out);

  /// Frames `bytes` of body that follow: what has to stand before them goes to `out`.
  void write_body_prefix(std::size_t bytes, Buffer& out) {
    if (writing_ == Writing::kKnown) {
      owed_bytes_ -= std::min<std::uint64_t>(owed_bytes_, bytes);
    } else if (writing_ == Writing::kChunked) {
      write_chunk_line(bytes, out);
    }
  }
  /// What has to stand behind the body piece announced last: empty or "\r\n" (static text).
  [[nodiscard]] std::string_view body_suffix() const noexcept {
    return {"\r\n", writing_ == Writing::kChunked ? 2U : 0U};
  }
  /// Ends the message being written; `trailers` may be null and are dropped where the framing has
  /// no room for them.
  void write_end(const HeaderList* trailers, Buffer& out) {
    if (writing_ == Writing::kTunnel || writing_ == Writing::kUntilClose) return;
    if (writing_ == Writing::kChunked) write_last_chunk(trailers, out);
    // A message shorter than announced: the next one would be read as its rest.
    if (writing_ == Writing::kKnown && owed_bytes_ > 0) keep_alive_ = false;
    writing_ = Writing::kNothing;
  }

  /// Whether body bytes may be written at all for the message begun last (false for HEAD, 204,
  /// 304).
  [[nodiscard]] bool carries_body() const noexcept { return writing_ != Writing::kNothing; }
  /// Whether nothing but the end of the connection ends the message begun last (RFC 9112 section
  /// 6.3): where it is cut off, that end must not be a clean one.
  [[nodiscard]] bool ends_with_connection() const noexcept {
    return writing_ == Writing::kUntilClose;
  }

  // -- the connection
  // --------------------------------------------------------------------------------------

  /// The arena of the message being read goes away before its end was read (its exchange is over,
  /// the rest of its body is drained): trailers that still come are judged and dropped.
  void forget_arena() noexcept { arena_ = nullptr; }
  /// The next message: both halves of the last one are done. Server: the next request may be read;
  /// client: the next request may be written.
  void next_message() noexcept;
  /// Both sides agreed on 101 (or CONNECT): from here bytes are bytes.
  void enter_tunnel() noexcept;
  /// Whether the connection can carry another message after this one (RFC 9112 section 9.3).
  [[nodiscard]] bool keeps_alive() const noexcept { return keep_alive_; }
  /// Client: how long the other side keeps the connection unused, as its last response said
  /// (Keep-Alive: timeout=N); 0 = it did not.
  [[nodiscard]] std::chrono::seconds kept_by_peer() const noexcept {
    return std::chrono::seconds(kept_seconds_);
  }
  /// Makes the message that is being exchanged the last one of this connection.
  void close_after_this() noexcept { keep_alive_ = false; }

 private:
  enum class Reading : std::uint8_t {
    kHead,
    kKnownBody,
    kChunkLine,
    kChunkData,
    kChunkEnd,
    kTrailers,
    kUntilClose,
    kDone,
    kTunnel,
    kBroken
  };
  enum class Writing : std::uint8_t { kNothing, kKnown, kChunked, kUntilClose, kTunnel };

  template <typename Head>
  struct HeadRead {
    Head* head = nullptr;
    std::size_t bytes = 0;
  };

  // http1_codec_read.cc
  [[nodiscard]] std::size_t feed_some(std::string_view bytes, HeadHome& home, StreamEvents& events);
  [[nodiscard]] std::size_t read_head(std::string_view bytes, HeadHome& home, StreamEvents& events);
  template <typename Head>
  [[nodiscard]] std::size_t read_head_of(std::string_view bytes, HeadHome& home,
                                         StreamEvents& events);
  template <typename Head>
  [[gnu::noinline]] [[nodiscard]] HeadRead<Head> read_carefully(std::string_view bytes,
                                                                HeadHome& home,
                                                                StreamEvents& events);
  [[nodiscard]] SectionLimits head_limits() const noexcept;
  [[nodiscard]] bool skips_empty_line(std::string_view bytes) noexcept;
  [[nodiscard]] Refusal read_start_line(std::string_view line, RequestHead& head);
  [[nodiscard]] Refusal read_start_line(std::string_view line, ResponseHead& head);
  [[gnu::noinline]] [[nodiscard]] Refusal read_any_line(std::string_view line, RequestHead& head);
  [[gnu::noinline]] [[nodiscard]] Refusal read_any_line(std::string_view line, ResponseHead& head);
  [[nodiscard]] Refusal understand(RequestHead& head, StreamEvents& events);
  [[nodiscard]] Refusal understand(ResponseHead& head, StreamEvents& events);
  [[nodiscard]] Refusal read_request_meaning(RequestHead& head);
  [[nodiscard]] Refusal read_response_meaning(ResponseHead& head);
  [[nodiscard]] std::size_t read_body(std::string_view bytes, StreamEvents& events);
  [[gnu::noinline]] [[nodiscard]] std::size_t read_chunk_line(std::string_view bytes,
                                                              StreamEvents& events);
  [[nodiscard]] std::size_t read_chunk_end(std::string_view bytes, StreamEvents& events);
  [[gnu::noinline]] [[nodiscard]] std::size_t read_trailers(std::string_view bytes,
                                                            StreamEvents& events);
  [[nodiscard]] Refusal read_trailer_fields(std::string_view section, const LineEnds& ends,
                                            StreamEvents& events);
  template <typename Head>
  void begin_body(const Head& head, StreamEvents& events);
  [[gnu::always_inline]] void finish_message(StreamEvents& events) {
    reading_ = Reading::kDone;
    arena_ = nullptr;
    scan_.reset();
    static_cast<void>(events.add(StreamEvent::Kind::kEnd));
  }
  [[nodiscard]] std::size_t fail(Refusal refusal, StreamEvents& events,
                                 std::string_view accept = {});

  // http1_codec_write.cc
  void write_chunk_line(std::size_t bytes, Buffer& out);
  void write_last_chunk(const HeaderList* trailers, Buffer& out);
  void begin_writing(BodyLength body, Writing unknown) noexcept;
  [[nodiscard]] char* put_framing(char* at) const noexcept;

  const CodecLimits* limits_;
  Arena* arena_ = nullptr;             ///< of the message being read
  std::uint64_t body_left_bytes_ = 0;  ///< to read, of the message or of the chunk
  std::uint64_t owed_bytes_ = 0;       ///< to write, of the length announced
  SectionScan scan_;                   ///< of an incomplete head or trailer section
  std::uint32_t head_bytes_ = 0;       ///< charged for the head; trailers come out of what it left
  std::uint16_t head_fields_ = 0;
  std::uint16_t kept_seconds_ = 0;
  std::uint8_t informational_ = 0;  ///< 1xx heads read for the request in flight
  CodecRole role_;
  Reading reading_ = Reading::kHead;
  Writing writing_ = Writing::kNothing;
  Method method_ = Method::kOther;  ///< of the request in flight
  HttpVersion peer_version_ = HttpVersion::kHttp11;
  bool keep_alive_ = true;
  bool is_asked_ = false;  ///< client: a request was written that has no response yet
  bool upgrade_asked_ =
      false;  ///< the request in flight asked for an upgrade: 101 is a legal answer
  bool line_skipped_ =
      false;  ///< server: the one empty line allowed before a request line was there
};

}  // namespace limpet
