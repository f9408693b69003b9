// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2FrameScan: looks at the frame headers of what a peer sends, before the library does, which
// does not tell of every frame: it counts those that have a budget, knows whether a field block is
// on its way, and judges PRIORITY frames, which the library ignores, like data for streams that are
// over. Neighbours: http2_floods.h holds the budgets.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/http/http1_codec.h"
#include "daemon/http/http2_floods.h"
#include "daemon/http/http2_stream_history.h"

namespace limpet {

/// Knows which streams are open.
class OpenStreams {
 public:
  virtual ~OpenStreams() = default;
  [[nodiscard]] virtual bool is_open(std::uint32_t stream) const noexcept = 0;
};

/// The frames of one direction, header by header. RFC: 9113 section 4.1.
class Http2FrameScan {
 public:
  /// Borrows: `open`.
  Http2FrameScan(CodecRole role, const OpenStreams& open) noexcept
      : open_(&open),
        skip_bytes_(role == CodecRole::kServer ? kPrefaceBytes : 0),
        role_(role),
        judges_streams_(role == CodecRole::kServer) {}

  enum class Verdict : std::uint8_t {
    kFine,
    kFlood,   ///< a budget is exceeded
    kBreach,  ///< PRIORITY of stream 0, or of a stream that depends on itself
    kClosed,  ///< fields or data for a stream that is over
  };
  /// Walks over `bytes`. What is not fine ends the connection.
  /// Cost: a few instructions a frame.
  [[nodiscard]] Verdict scan(std::string_view bytes, Instant now, Http2Floods& floods) noexcept;

  /// Limpet reset a stream: what still comes for it is no breach.
  void on_reset_by_us(std::uint32_t stream) noexcept { history_.on_reset_by_us(stream); }
  /// New streams are ignored from here on, with all that comes for them.
  void stop_judging_streams() noexcept { judges_streams_ = false; }

  /// A field block has begun and is not complete.
  [[nodiscard]] bool is_in_block() const noexcept {
    return is_block_open_ || (is_block_frame_ && skip_bytes_ > 0);
  }

 private:
  static constexpr std::size_t kPrefaceBytes = 24;
  static constexpr std::size_t kHeaderBytes = 9;
  static constexpr std::size_t kPeekedMax = kHeaderBytes + 4;

  [[nodiscard]] static std::size_t peeked_bytes(const char* header) noexcept;
  [[nodiscard]] Verdict begin_frame(const char* header, std::size_t peeked, Instant now,
                                    Http2Floods& floods) noexcept;
  [[nodiscard]] Verdict judge(std::uint32_t stream) const noexcept;
  [[nodiscard]] Verdict begin_data(const char* header, std::size_t flags, Instant now,
                                   Http2Floods& floods) noexcept;

  const OpenStreams* open_;
  std::size_t skip_bytes_;                    ///< of the payload under way, or of the preface
  std::array<char, kPeekedMax> collected_{};  ///< of a header that came in pieces
  std::uint8_t collected_bytes_ = 0;
  CodecRole role_;
  bool is_block_open_ = false;   ///< END_HEADERS has not come
  bool is_block_frame_ = false;  ///< the payload under way is a piece of a field block
  std::uint32_t continuations_ = 0;
  bool judges_streams_;  ///< that the peer began, as a client does
  Http2StreamHistory history_;
};

}  // namespace limpet
