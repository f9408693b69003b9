// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/http2_client_stream.h"

#include <utility>

#include "daemon/base/check.h"
#include "daemon/proxy/http2_client.h"
#include "daemon/proxy/relay.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {
constexpr std::uint16_t kContinue = 100;
}  // namespace

Http2ClientStream::Http2ClientStream(Http2Client& connection, Arena& arena) noexcept
    : connection_(connection), arena_(arena), timer_(*this) {}

Http2ClientStream::~Http2ClientStream() = default;

ClientFacts& Http2ClientStream::facts() noexcept { return connection_.facts(); }

// What the client sends
// ------------------------------------------------------------------------------------------

void Http2ClientStream::begin(RequestHead& head) {
  is_upgrade_ = !head.upgrade.empty();
  awaits_continue_ = head.expects_continue;
  has_ended_ = head.body.kind == BodyLength::Kind::kNone && !is_upgrade_;
  has_had_exchange_ = true;
  relay_ = connection_.room().make_relay(*this, arena_, head);
  relay_->begin();
  expect_progress();
}

void Http2ClientStream::refuse(std::uint16_t status, std::string_view detail,
                               std::string_view accept) {
  auto* head = new (arena_.allocate(sizeof(RequestHead))) RequestHead(arena_);
  head->version = HttpVersion::kHttp2;
  if (!accept.empty()) head->fields.add(FieldName::kAccept, accept);
  head->method_text = "-";
  head->target = head->path = "-";
  has_had_exchange_ = true;
  relay_ = connection_.room().make_relay(*this, arena_, *head);
  relay_->begin_refused(status, detail);
}

void Http2ClientStream::on_body(std::string_view bytes) {
  uncredited_bytes_ += bytes.size();
  awaits_continue_ = false;
  if (relay_ == nullptr) return;
  // Nothing goes to the replica before it has agreed (RFC 9110 section 7.8).
  if (is_upgrade_ && !is_tunnel_) {
    early_.append(bytes);
    return;
  }
  relay_->on_request_body(bytes);
  if (!is_paused_) resume_reading();
  expect_progress();
}

void Http2ClientStream::on_trailers(HeaderList& trailers) {
  if (relay_ != nullptr) relay_->on_request_trailers(trailers);
}

void Http2ClientStream::on_end() {
  has_ended_ = true;
  if (relay_ == nullptr || (is_upgrade_ && !is_tunnel_)) return;
  relay_->on_request_end();
  expect_progress();
}

void Http2ClientStream::on_reset() {
  is_over_ = true;
  lose(0);
}

void Http2ClientStream::on_fault(std::uint16_t status, std::string_view reason,
                                 std::string_view accept) {
  if (relay_ == nullptr) {
    refuse(status, reason, accept);
  } else {
    relay_->on_request_fault(status, reason);
  }
}

void Http2ClientStream::resume_reading() {
  // What the client owes is due from now on.
  if (std::exchange(is_paused_, false)) expect_progress();
  if (uncredited_bytes_ == 0 || is_over_) return;
  connection_.codec().credit(number(), std::exchange(uncredited_bytes_, 0));
  connection_.mark_dirty();
}

void Http2ClientStream::enter_tunnel() { is_tunnel_ = true; }

// What came ahead of the replica's agreement, and perhaps the end behind it.
void Http2ClientStream::send_early() {
  const Buffer bytes = std::move(early_);
  relay_->on_request_body(bytes.view());
  if (relay_ != nullptr && has_ended_) relay_->on_request_end();
  if (relay_ != nullptr) relay_->flush_replica();
  if (!is_paused_) resume_reading();
}

// What the client is sent
// ----------------------------------------------------------------------------------------

void Http2ClientStream::send_informational(const ResponseHead& head) {
  if (is_over_) return;
  connection_.codec().write_informational(number(), head);
  connection_.mark_dirty();
  if (head.status == kContinue && std::exchange(awaits_continue_, false)) expect_progress();
}

void Http2ClientStream::send_head(const ResponseHead& head) {
  if (is_over_) return;
  connection_.codec().write_response(number(), head);
  connection_.mark_dirty();
}

void Http2ClientStream::send_body(std::string_view bytes) {
  if (is_over_) return;
  connection_.codec().write_body(number(), bytes, connection_.out());
  connection_.mark_dirty();
  given_bytes_ += bytes.size();
  // More for a client that takes nothing is no sign of life of its.
  if (!timer_.is_armed()) expect_progress();
}

void Http2ClientStream::send_end(const HeaderList* trailers) {
  if (is_over_) return;
  connection_.codec().write_end(number(), trailers);
  connection_.mark_dirty();
}

void Http2ClientStream::end_writing() { send_end(nullptr); }

void Http2ClientStream::flush() {
  connection_.mark_dirty();
  if (is_tunnel_ && relay_ != nullptr && !early_.is_empty()) send_early();
}

std::size_t Http2ClientStream::queued_bytes() const noexcept {
  return is_over_ ? 0 : connection_.queued_bytes_of(number());
}

bool Http2ClientStream::carries_body() const noexcept {
  return !is_over_ && connection_.codec().carries_body(number());
}

void Http2ClientStream::on_drained() {
  if (relay_ != nullptr) relay_->on_client_drained();
}

// Its ends
// -------------------------------------------------------------------------------------------------------

// A cut response is a reset stream, never an ended one (RFC 9113 section 8.1).
void Http2ClientStream::abort() {
  lose(static_cast<std::uint32_t>(is_stalled_ ? Http2Error::kCancel : Http2Error::kInternalError));
}

void Http2ClientStream::cut(Ending ending) {
  if (relay_ != nullptr) relay_->will_end_by(ending);
  lose(static_cast<std::uint32_t>(Http2Error::kCancel));
}

void Http2ClientStream::lose(std::uint32_t error) {
  if (!is_over_) {
    is_over_ = true;
    connection_.codec().reset(number(), static_cast<Http2Error>(error));
    connection_.mark_dirty();
  }
  if (relay_ != nullptr) relay_->on_client_gone();
}

void Http2ClientStream::on_exchange_done(Relay& relay) {
  DCHECK_THAT(relay_ == &relay);
  relay_ = nullptr;
  timer_.leave();
  early_.clear();
  // Of a tunnel whose client has ended its half, the other one ends now.
  if (!is_over_ && is_tunnel_) connection_.codec().write_end(number(), nullptr);
  if (!is_over_ && !has_ended_) connection_.codec().stop_reading(number());
  is_over_ = true;
  connection_.on_stream_over(*this);
  connection_.room().bury_relay(relay);
}

// Due is what the client still has to take, or to send.
void Http2ClientStream::expect_progress() {
  if (relay_ == nullptr) return;
  const bool owes = owes_body();
  taken_before_ = taken_bytes();
  if (!owes && taken_before_ == given_bytes_) {
    timer_.disarm();
    return;
  }
  WorkerRoom& room = connection_.room();
  timer_.arm(room.loop().timers(), deadline_after(room.loop().now(), room.timeouts().client_stall));
}

std::uint64_t Http2ClientStream::taken_bytes() const noexcept {
  return given_bytes_ - connection_.codec().queued_bytes(number());
}

void Http2ClientStream::on_timer(Timer&) {
  WorkerRoom& room = connection_.room();
  const bool owes = owes_body();
  const std::size_t queued = connection_.codec().queued_bytes(number());
  // A socket that takes nothing is the connection's matter.
  const bool is_taking = taken_bytes() > taken_before_ || (queued > 0 && connection_.is_blocked());
  if (relay_ != nullptr && !is_taking && (owes || queued > 0)) {
    is_stalled_ = true;
    room.counters().timeout_client_stall->add();
    relay_->on_client_stalled();
  } else {
    expect_progress();
  }
  room.after_callback();
}

}  // namespace limpet
