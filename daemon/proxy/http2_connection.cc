// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/http2_connection.h"

#include <utility>

#include "daemon/proxy/worker_room.h"

namespace limpet {

Http2Connection::Http2Connection(WorkerRoom& room, Transport transport, CodecRole role)
    : Connection(room, std::move(transport),
                 Http2Codec(role, room.codec_limits(), room.http2_settings())),
      role_(role) {}

Http2Connection::~Http2Connection() { side().streams->add(-std::int64_t{streams_counted_}); }

void Http2Connection::room_loop_soon() { room_.loop().run_soon(*this); }

void Http2Connection::on_errand() {
  if (!is_closed()) on_turn_end();
  if (!is_closed() && std::exchange(is_dirty_, false)) collect();
  if (!is_closed() && is_concluding_ && !has_said_all_ && is_all_written()) {
    has_said_all_ = true;
    on_over();
  }
  Connection::on_errand();
}

// What does not fit now is framed when the socket has taken this.
void Http2Connection::collect() {
  if (is_write_blocked_ || has_said_all_) return;
  StreamEvents& events = room_.borrow_events();
  http2().collect(out_, events);
  const bool is_full = out_.size() >= Http2Codec::kOutBytesMax;
  write_out();
  if (is_full && !is_write_blocked_) mark_dirty();
  for (const StreamEvent& event : events) {
    if (event.kind == StreamEvent::Kind::kDrained) on_stream_drained(event.stream);
    if (event.kind == StreamEvent::Kind::kConcluded) conclude();
  }
  room_.return_events(events);
  count();
}

void Http2Connection::on_drained() { mark_dirty(); }

void Http2Connection::conclude() {
  if (is_concluding_) return;
  is_concluding_ = true;
  mark_dirty();
  on_concluded();
}

ProxyCounters::Http2Side& Http2Connection::side() noexcept {
  ProxyCounters& counters = room_.counters();
  return role_ == CodecRole::kServer ? counters.http2_clients : counters.http2_replicas;
}

void Http2Connection::count() {
  const Http2FloodReport report = http2().take_flood_report();
  if (!report.is_empty()) room_.counters().count(report, room_.http2_settings().floods.mode);
  const Http2Goaways goaways = http2().take_goaways();
  if (goaways.sent > 0) side().goaways_sent->add(goaways.sent);
  if (goaways.received > 0) side().goaways_received->add(goaways.received);
  const std::uint32_t open = http2().streams_open();
  if (open == streams_counted_) return;
  side().streams->add(std::int64_t{open} - std::int64_t{streams_counted_});
  streams_counted_ = open;
}

}  // namespace limpet
