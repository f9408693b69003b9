// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_floods.h"

#include <limits>
#include <utility>

namespace limpet {

namespace {

constexpr std::array<std::string_view, kHttp2Floods> kNames = {
    "resets",     "provoked_resets", "continuations", "settings", "pings",
    "empty_data", "priorities",      "other_frames",  "memory"};

// The budget of what is counted one by one; 0 is none.
[[nodiscard]] std::uint32_t budget(const Http2FloodLimits& limits, Http2Flood flood) noexcept {
  switch (flood) {
    case Http2Flood::kResets:
      return limits.resets;
    case Http2Flood::kProvokedResets:
      return limits.provoked_resets;
    case Http2Flood::kSettings:
      return limits.settings;
    case Http2Flood::kPings:
      return limits.pings;
    case Http2Flood::kEmptyData:
      return limits.empty_data;
    case Http2Flood::kPriorities:
      return limits.priorities;
    case Http2Flood::kOtherFrames:
      return limits.other_frames;
    case Http2Flood::kContinuations:
    case Http2Flood::kConnectionBytes:
    case Http2Flood::kCount:
      break;
  }
  return 0;
}

}  // namespace

std::string_view name_of(Http2Flood flood) noexcept {
  return kNames[static_cast<std::size_t>(flood)];
}

void Http2Floods::turn_window(Instant now) noexcept {
  if (now - window_start_ < limits_->window) return;
  window_start_ = now;
  counts_ = {};
}

bool Http2Floods::exceed(Http2Flood flood) noexcept {
  std::uint16_t& reported = report_.exceeded[static_cast<std::size_t>(flood)];
  if (reported < std::numeric_limits<std::uint16_t>::max()) ++reported;
  return limits_->mode == FloodMode::kReport;
}

bool Http2Floods::count(Http2Flood flood, Instant now) noexcept {
  if (flood == Http2Flood::kPings && pings_forgiven_ > 0) {
    --pings_forgiven_;
    return true;
  }
  if (flood == Http2Flood::kOtherFrames && others_forgiven_ > 0) {
    --others_forgiven_;
    return true;
  }
  turn_window(now);
  const std::uint32_t limit = budget(*limits_, flood);
  std::uint32_t& counted = counts_[static_cast<std::size_t>(flood)];
  if (limit == 0 || counted > limit) return true;
  return ++counted <= limit || exceed(flood);
}

bool Http2Floods::check_continuations(std::uint32_t frames) noexcept {
  if (limits_->continuations == 0 || frames != limits_->continuations + 1) return true;
  return exceed(Http2Flood::kContinuations);
}

bool Http2Floods::check_bytes(std::size_t bytes, Instant now) noexcept {
  if (limits_->connection_bytes == 0 || bytes <= limits_->connection_bytes) return true;
  turn_window(now);
  std::uint32_t& counted = counts_[static_cast<std::size_t>(Http2Flood::kConnectionBytes)];
  if (counted > 0) return limits_->mode == FloodMode::kReport;
  ++counted;
  return exceed(Http2Flood::kConnectionBytes);
}

Http2FloodReport Http2Floods::take_report() noexcept {
  return std::exchange(report_, Http2FloodReport{});
}

}  // namespace limpet
