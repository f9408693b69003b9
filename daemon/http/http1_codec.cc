// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http1_codec.h"

#include <algorithm>
#include <utility>

namespace limpet {

void StreamEvents::grow() {
  constexpr std::size_t kFirst = 16;
  const std::size_t wanted = capacity_ == 0 ? kFirst : capacity_ * 2;
  auto bigger = std::make_unique<StreamEvent[]>(wanted);
  std::copy(begin(), end(), bigger.get());
  events_ = std::move(bigger);
  capacity_ = wanted;
}

void Http1Codec::on_end_of_bytes(StreamEvents& events) {
  switch (reading_) {
    case Reading::kHead:
      if (is_between_messages()) return;
      break;
    case Reading::kUntilClose:
    case Reading::kTunnel:
      finish_message(events);
      return;
    case Reading::kDone:
    case Reading::kBroken:
      return;
    default:
      break;
  }
  StreamEvent& event = events.add(StreamEvent::Kind::kFault);
  event.fault = Fault::kTruncated;
  event.bytes = {};
  event.reason = "RFC 9112 section 8: the connection ended before the message did";
  reading_ = Reading::kBroken;
  keep_alive_ = false;
}

void Http1Codec::next_message() noexcept {
  writing_ = Writing::kNothing;
  arena_ = nullptr;
  owed_bytes_ = 0;
  method_ = Method::kOther;
  informational_ = 0;
  is_asked_ = false;
  upgrade_asked_ = false;
  line_skipped_ = false;
  if (reading_ != Reading::kDone) return;
  reading_ = Reading::kHead;
  scan_.reset();
  body_left_bytes_ = 0;
  head_bytes_ = 0;
  head_fields_ = 0;
}

void Http1Codec::enter_tunnel() noexcept {
  reading_ = Reading::kTunnel;
  writing_ = Writing::kTunnel;
  keep_alive_ = false;
  arena_ = nullptr;
}

}  // namespace limpet
