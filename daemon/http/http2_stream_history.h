// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2StreamHistory: which of a client's stream numbers are spent, for frames that come too late:
// the library forgets a stream when it ends and ignores what still comes for it. What limpet itself
// reset may be followed by anything, for a while; what the client ended may not.

#include <array>
#include <cstddef>
#include <cstdint>

namespace limpet {

/// The numbers of the streams that one client has begun, as far as its frames were looked at.
/// RFC: 9113 sections 5.1 and 5.1.1.
class Http2StreamHistory {
 public:
  enum class Verdict : std::uint8_t {
    kNew,      ///< above all others, or none of a client's
    kBegun,    ///< among the bytes at hand, so the library does not know it yet
    kUnknown,  ///< perhaps limpet reset it: what comes is to be ignored
    kEnded,    ///< STREAM_CLOSED, unless it is open still
    kReset,    ///< STREAM_CLOSED: the client itself reset it
    kSkipped,  ///< never begun, and may not any more: PROTOCOL_ERROR
  };

  /// More bytes are looked at; what was begun before is known to the library.
  void on_bytes() noexcept { known_highest_ = highest_; }
  void on_begun(std::uint32_t number) noexcept {
    if (number <= highest_) return;
    const std::uint32_t steps = (number - highest_ + 1) / 2;
    begun_ = steps < kRemembered ? begun_ << steps | 1 : 1;
    reset_ = steps < kRemembered ? reset_ << steps : 0;
    highest_ = number;
  }
  void on_reset_by_client(std::uint32_t number) noexcept {
    if (number % 2 == 0 || number > highest_) return;
    const std::uint32_t steps = (highest_ - number) / 2;
    if (steps < kRemembered) reset_ |= std::uint64_t{1} << steps;
  }
  /// Limpet reset the stream, whether it was begun or refused.
  void on_reset_by_us(std::uint32_t number) noexcept {
    std::uint32_t& place = resets_[next_reset_++ % resets_.size()];
    if (place > forgotten_) forgotten_ = place;
    place = number;
  }

  /// What a frame for `number` means.
  [[nodiscard]] Verdict judge(std::uint32_t number) const noexcept {
    if (number > highest_ || number % 2 == 0) return Verdict::kNew;
    if (number <= forgotten_ || is_reset_by_us(number)) return Verdict::kUnknown;
    const std::uint32_t steps = (highest_ - number) / 2;
    if (steps >= kRemembered) return number > known_highest_ ? Verdict::kBegun : Verdict::kEnded;
    if ((reset_ >> steps & 1) != 0) return Verdict::kReset;
    if ((begun_ >> steps & 1) == 0) return Verdict::kSkipped;
    return number > known_highest_ ? Verdict::kBegun : Verdict::kEnded;
  }

 private:
  static constexpr std::uint32_t kRemembered = 64;
  static constexpr std::size_t kResets = 32;

  [[nodiscard]] bool is_reset_by_us(std::uint32_t number) const noexcept {
    for (const std::uint32_t reset : resets_) {
      if (reset == number) return true;
    }
    return false;
  }

  std::uint64_t begun_ = 0;  ///< bit n: the number n × 2 below the highest was begun
  std::uint64_t reset_ = 0;  ///< likewise: the client reset it
  std::array<std::uint32_t, kResets> resets_{};
  std::uint32_t next_reset_ = 0;
  std::uint32_t highest_ = 0;
  std::uint32_t known_highest_ = 0;
  std::uint32_t forgotten_ = 0;  ///< resets up to this number are not remembered any more
};

}  // namespace limpet
