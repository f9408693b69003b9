// SPDX-License-Identifier: Apache-2.0
#pragma once
// http2_floods: how often a peer may do what costs it nothing and us something: budgets per window
// of time, each with its name, its default and its counter. It counts; Http2Codec ends the
// connection. Neighbours: http2_frame_scan.h tells it which frames came.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base/clock.h"

namespace limpet {

/// What is done about a peer that exceeds a budget.
enum class FloodMode : std::uint8_t {
  kEnforce,  ///< the connection ends with ENHANCE_YOUR_CALM
  kReport,   ///< it is counted
};

/// [limits.http2_floods]: how many of each one connection may have in one window; 0 is no limit.
struct Http2FloodLimits {
  FloodMode mode = FloodMode::kEnforce;
  Duration window = std::chrono::seconds(10);
  std::uint32_t resets = 200;           ///< RST_STREAM from a client (CVE-2023-44487)
  std::uint32_t provoked_resets = 100;  ///< that a breach of the peer made us send (CVE-2025-8671)
  std::uint32_t continuations = 16;     ///< in one field block, whenever (CVE-2024-27316)
  std::uint32_t settings = 50;          ///< SETTINGS other than acknowledgements (CVE-2019-9515)
  std::uint32_t pings = 100;            ///< beyond one for each frame of data sent (CVE-2019-9512)
  std::uint32_t empty_data = 100;     ///< DATA that holds nothing and ends nothing (CVE-2019-9518)
  std::uint32_t priorities = 400;     ///< PRIORITY and PRIORITY_UPDATE (CVE-2019-9513)
  std::uint32_t other_frames = 1000;  ///< WINDOW_UPDATE, acknowledgements, unknown frames of a
                                      ///< client, beyond ten for each frame of data sent and
                                      ///< for each stream
  std::uint64_t connection_bytes = 1024 * 1024;  ///< state that the library keeps for a connection
};

/// The budgets, in the order of Http2FloodReport.
enum class Http2Flood : std::uint8_t {
  kResets,
  kProvokedResets,
  kContinuations,
  kSettings,
  kPings,
  kEmptyData,
  kPriorities,
  kOtherFrames,
  kConnectionBytes,
  kCount
};
inline constexpr std::size_t kHttp2Floods = static_cast<std::size_t>(Http2Flood::kCount);

/// The name in the metrics: the key of the configuration, and "memory" for connection_bytes.
[[nodiscard]] std::string_view name_of(Http2Flood flood) noexcept;

/// How often each budget was exceeded: once a window at the most.
struct Http2FloodReport {
  std::array<std::uint16_t, kHttp2Floods> exceeded{};

  [[nodiscard]] bool is_empty() const noexcept {
    for (const std::uint16_t count : exceeded) {
      if (count > 0) return false;
    }
    return true;
  }
};

/// The counts of one connection.
/// Borrows: the limits.
class Http2Floods {
 public:
  explicit Http2Floods(const Http2FloodLimits& limits) noexcept : limits_(&limits) {}

  /// Counts one more. Returns false where the connection must end.
  [[nodiscard]] bool count(Http2Flood flood, Instant now) noexcept;
  /// Compares the frames of one field block with their budget; they know no window.
  [[nodiscard]] bool check_continuations(std::uint32_t frames) noexcept;
  [[nodiscard]] bool check_bytes(std::size_t bytes, Instant now) noexcept;
  /// A frame of data went out: the peer may answer it with a ping, and with updates of its windows.
  void on_data_sent() noexcept {
    if (pings_forgiven_ < kPingsForgivenMax) ++pings_forgiven_;
    forgive_others();
  }
  /// A stream was opened: the peer may widen its window.
  void on_stream_opened() noexcept { forgive_others(); }

  /// What was exceeded since the last call.
  [[nodiscard]] Http2FloodReport take_report() noexcept;

 private:
  static constexpr std::uint16_t kPingsForgivenMax = 1000;
  // As many frames as answer what fits a large window: a slow client reads it all at once.
  static constexpr std::uint32_t kOthersForgivenMax = 100'000;
  static constexpr std::uint32_t kOthersForgivenEach = 10;

  void forgive_others() noexcept {
    if (others_forgiven_ < kOthersForgivenMax) others_forgiven_ += kOthersForgivenEach;
  }
  [[nodiscard]] bool exceed(Http2Flood flood) noexcept;
  void turn_window(Instant now) noexcept;

  const Http2FloodLimits* limits_;
  Instant window_start_{};
  std::array<std::uint32_t, kHttp2Floods> counts_{};
  Http2FloodReport report_;
  std::uint32_t others_forgiven_ = 0;
  std::uint16_t pings_forgiven_ = 0;
};

}  // namespace limpet
