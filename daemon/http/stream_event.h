// SPDX-License-Identifier: Apache-2.0
#pragma once
// StreamEvent: what a codec reports. A codec appends these while it reads and calls nobody; the
// connection walks them afterwards. So nothing can be destroyed under a parser, and a test is a
// vector to compare.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "daemon/http/message.h"

namespace limpet {

/// What is wrong with what the other side sent. The number to answer a client with is in
/// status_of().
enum class Fault : std::uint8_t {
  kNone,
  kBadRequest,      ///< 400: any breach of RFC 9112 that has no better number
  kTargetTooLong,   ///< 414
  kFieldsTooLarge,  ///< 431: bytes or count
  kUnknownCoding,   ///< 501: a transfer coding other than chunked
  kUnknownVersion,  ///< 505
  kBadResponse,     ///< a replica's answer that breaks the rules: 502
  kTruncated,       ///< the bytes ended before the message did
  kReset,           ///< the other side took the stream back (HTTP/2)
  kRefused,  ///< HTTP/2: provably not processed (REFUSED_STREAM, or above a GOAWAY's last stream)
  kExpectationFailed,  ///< 417: Expect other than 100-continue
};

/// The status limpet answers a fault of a request with.
[[nodiscard]] std::uint16_t status_of(Fault fault) noexcept;
/// HTTP/2: whether a fault of a request is one of its size or wishes, which an answer names; all
/// others reset the stream.
[[nodiscard]] bool is_answerable(Fault fault) noexcept;

/// One thing that happened on one stream.
struct StreamEvent {
  enum class Kind : std::uint8_t {
    kRequestHead,    ///< `request`
    kResponseHead,   ///< `response`, final (status 101 or 200 and above)
    kInformational,  ///< `response`, 1xx but 101
    kBody,           ///< `bytes`, never empty; tunnel bytes come as this too
    kTrailers,       ///< `trailers`; kEnd follows
    kEnd,            ///< the message is complete
    kFault,          ///< `fault` and `reason`: nothing more comes of this stream (HTTP/1: of this
                     ///< connection)
    kDrained,        ///< HTTP/2: nothing of this stream waits for a window any more
    kGoaway,         ///< HTTP/2: the other side wants no new streams
    kConcluded,      ///< HTTP/2: the connection is of no more use
  };

  Kind kind = Kind::kEnd;
  Fault fault = Fault::kNone;
  std::uint16_t code = 0;    ///< of a kReset: RFC 9113 section 7; 0xffff for codes above it
  std::uint32_t stream = 0;  ///< always 0 in HTTP/1
  union {
    RequestHead* request = nullptr;
    ResponseHead* response;
    HeaderList* trailers;
    const char* reason;  ///< static text that cites the rule, for the log
  };
  /// kBody: borrows the bytes given to feed(), so only until the caller reuses those. kFault:
  /// Accept of a request head that was read and refused, in the head's arena; else empty.
  std::string_view bytes;
};

/// The events of one feed(), in order; a vector whose appending costs a comparison.
class StreamEvents {
 public:
  StreamEvents() = default;
  StreamEvents(const StreamEvents&) = delete;
  StreamEvents& operator=(const StreamEvents&) = delete;

  /// Appends an event of stream 0; what else its kind has is for the caller to set.
  [[gnu::always_inline]] StreamEvent& add(StreamEvent::Kind kind) {
    if (count_ == capacity_) [[unlikely]]
      grow();
    StreamEvent& event = events_[count_++];
    event.kind = kind;
    event.fault = Fault::kNone;
    event.stream = 0;
    return event;
  }
  /// Forgets them; the room stays.
  void clear() noexcept { count_ = 0; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] const StreamEvent* begin() const noexcept { return events_.get(); }
  [[nodiscard]] const StreamEvent* end() const noexcept { return events_.get() + count_; }

 private:
  void grow();

  std::unique_ptr<StreamEvent[]> events_;
  std::size_t count_ = 0;
  std::size_t capacity_ = 0;
};

/// Where a codec puts a head: the connection knows which exchange a stream belongs to.
class HeadHome {
 public:
  virtual ~HeadHome() = default;
  /// The arena for the next head of `stream`. For a request: a fresh one, which becomes the
  /// exchange's.
  [[nodiscard]] virtual Arena& arena_for(std::uint32_t stream) = 0;
};

/// The bounds of the configuration that codecs enforce.
struct CodecLimits {
  std::size_t request_line_bytes = 8 * 1024;
  std::size_t header_bytes = 32 * 1024;  ///< name + value + 32 a field, trailers included
  std::size_t header_fields = 100;
  std::size_t chunk_line_bytes = 256;  ///< size and extensions of one chunk
};

}  // namespace limpet
