// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_frame_scan.h"

#include <algorithm>
#include <cstring>

namespace limpet {

namespace {

enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kContinuation = 9,
  kPriorityUpdate = 16
};

constexpr std::uint8_t kEndStream = 0x1;
constexpr std::uint8_t kAck = 0x1;
constexpr std::uint8_t kEndHeaders = 0x4;
constexpr std::uint8_t kPadded = 0x8;
constexpr std::size_t kPriorityBytes = 5;

[[nodiscard]] std::size_t octet(char c) noexcept { return static_cast<unsigned char>(c); }

[[nodiscard]] std::size_t length_of(const char* header) noexcept {
  return octet(header[0]) << 16 | octet(header[1]) << 8 | octet(header[2]);
}

// 31 bits; the highest is reserved.
[[nodiscard]] std::uint32_t stream_at(const char* bytes) noexcept {
  return static_cast<std::uint32_t>((octet(bytes[0]) & 0x7f) << 24 | octet(bytes[1]) << 16 |
                                    octet(bytes[2]) << 8 | octet(bytes[3]));
}

}  // namespace

// How much of the payload has to be seen with the header.
std::size_t Http2FrameScan::peeked_bytes(const char* header) noexcept {
  const std::size_t type = octet(header[3]);
  if (type == kPriority) return length_of(header) == kPriorityBytes ? 4 : 0;
  const bool is_padded_data = type == kData && (octet(header[4]) & kPadded) != 0;
  return is_padded_data && length_of(header) > 0 ? 1 : 0;
}

Http2FrameScan::Verdict Http2FrameScan::scan(std::string_view bytes, Instant now,
                                             Http2Floods& floods) noexcept {
  history_.on_bytes();
  while (!bytes.empty()) {
    if (skip_bytes_ > 0) {
      const std::size_t skipped = std::min(skip_bytes_, bytes.size());
      skip_bytes_ -= skipped;
      bytes.remove_prefix(skipped);
      continue;
    }
    const char* header = bytes.data();
    if (collected_bytes_ > 0 || bytes.size() < kHeaderBytes || peeked_bytes(header) > 0) {
      header = collected_.data();
      const std::size_t wanted =
          collected_bytes_ < kHeaderBytes ? kHeaderBytes : kHeaderBytes + peeked_bytes(header);
      const std::size_t taken = std::min(wanted - collected_bytes_, bytes.size());
      std::memcpy(collected_.data() + collected_bytes_, bytes.data(), taken);
      collected_bytes_ = static_cast<std::uint8_t>(collected_bytes_ + taken);
      bytes.remove_prefix(taken);
      if (collected_bytes_ < kHeaderBytes ||
          collected_bytes_ < kHeaderBytes + peeked_bytes(header)) {
        continue;
      }
      collected_bytes_ = 0;
    } else {
      bytes.remove_prefix(kHeaderBytes);
    }
    const Verdict verdict = begin_frame(header, peeked_bytes(header), now, floods);
    if (verdict != Verdict::kFine) return verdict;
  }
  return Verdict::kFine;
}

Http2FrameScan::Verdict Http2FrameScan::begin_frame(const char* header, std::size_t peeked,
                                                    Instant now, Http2Floods& floods) noexcept {
  skip_bytes_ = length_of(header) - peeked;
  const std::size_t type = octet(header[3]);
  const std::size_t flags = octet(header[4]);
  const std::uint32_t stream = stream_at(header + 5);
  is_block_frame_ = type == kHeaders || type == kContinuation;
  is_block_open_ = is_block_frame_ && (flags & kEndHeaders) == 0;
  const auto counted = [&](Http2Flood flood) {
    return floods.count(flood, now) ? Verdict::kFine : Verdict::kFlood;
  };
  // A replica is on our side: its connection carries the exchanges of many clients.
  const auto other = [&] {
    return role_ == CodecRole::kClient ? Verdict::kFine : counted(Http2Flood::kOtherFrames);
  };
  switch (type) {
    case kData:
      return begin_data(header, flags, now, floods);
    case kHeaders: {
      continuations_ = 0;
      const Verdict verdict = judge(stream);
      if (stream % 2 == 1) history_.on_begun(stream);
      return verdict;
    }
    case kContinuation:
      return floods.check_continuations(++continuations_) ? Verdict::kFine : Verdict::kFlood;
    case kRstStream:
      history_.on_reset_by_client(stream);
      // A replica may have its reasons to refuse much.
      return role_ == CodecRole::kClient ? Verdict::kFine : counted(Http2Flood::kResets);
    case kSettings:
      return (flags & kAck) != 0 ? other() : counted(Http2Flood::kSettings);
    case kPing:
      return (flags & kAck) != 0 ? other() : counted(Http2Flood::kPings);
    case kPriority:
      // RFC 9113 section 6.3; RFC 7540 section 5.3.1.
      if (stream == 0) return Verdict::kBreach;
      if (peeked > 0 && stream == stream_at(header + kHeaderBytes)) return Verdict::kBreach;
      return counted(Http2Flood::kPriorities);
    case kPriorityUpdate:
      return counted(Http2Flood::kPriorities);
    default:
      return other();
  }
}

// That what is open may be sent to, the library sees.
Http2FrameScan::Verdict Http2FrameScan::judge(std::uint32_t stream) const noexcept {
  if (!judges_streams_) return Verdict::kFine;
  using Known = Http2StreamHistory::Verdict;
  switch (history_.judge(stream)) {
    case Known::kReset:
      return Verdict::kClosed;
    case Known::kEnded:
      return open_->is_open(stream) ? Verdict::kFine : Verdict::kClosed;
    case Known::kSkipped:
      return Verdict::kBreach;
    default:
      return Verdict::kFine;
  }
}

// Padding alone is nothing.
Http2FrameScan::Verdict Http2FrameScan::begin_data(const char* header, std::size_t flags,
                                                   Instant now, Http2Floods& floods) noexcept {
  const Verdict verdict = judge(stream_at(header + 5));
  if (verdict != Verdict::kFine) return verdict;
  if ((flags & kEndStream) != 0) return Verdict::kFine;
  const std::size_t length = length_of(header);
  const bool is_padded = (flags & kPadded) != 0 && length > 0;
  const std::size_t padding = is_padded ? 1 + octet(header[kHeaderBytes]) : 0;
  if (length > padding) return Verdict::kFine;
  return floods.count(Http2Flood::kEmptyData, now) ? Verdict::kFine : Verdict::kFlood;
}

}  // namespace limpet
