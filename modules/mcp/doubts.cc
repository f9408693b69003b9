// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/doubts.h"

#include <algorithm>

#include "daemon/base/log.h"
#include "modules/mcp/desk.h"
#include "modules/mcp/ping_prelude.h"

namespace limpet::mcp {

// A ping is carried by a call, whose answer comes later: nothing leaves the list meanwhile.
void Doubts::on_tick(Instant now) {
  for (Doubt* doubt = first_; doubt != nullptr; doubt = doubt->next_)
    doubt->look(now);
}

Doubt::Doubt(Desk& desk, Exchange& exchange) noexcept : desk_(desk), exchange_(exchange) {}

Doubt::~Doubt() { end(); }

void Doubt::begin() noexcept {
  if (desk_.settings.doubt_after == kForever || place_ != nullptr) return;
  Doubt*& first = desk_.hands.doubts.first_;
  next_ = first;
  if (next_ != nullptr) next_->place_ = &next_;
  place_ = &first;
  first = this;
}

void Doubt::end() noexcept {
  drop_ping();
  if (place_ == nullptr) return;
  *place_ = next_;
  if (next_ != nullptr) next_->place_ = place_;
  place_ = nullptr;
}

void Doubt::drop_ping() noexcept {
  if (ping_ == nullptr) return;
  --desk_.hands.doubts.pings_;
  ping_->cancel();
  ping_.reset();
}

// A body that is still being sent is no silence.
bool Doubt::is_waiting() const noexcept {
  const Times& times = exchange_.times;
  const bool is_sent = times.sent != kNever && exchange_.replica != nullptr;
  const bool is_answered = times.first_byte != kNever && times.first_byte >= times.sent;
  const bool is_whole =
      exchange_.is_request_body_whole || exchange_.request.method != Method::kPost;
  return is_sent && !is_answered && is_whole && !exchange_.session.original_id.empty();
}

void Doubt::look(Instant now) {
  if (ping_ != nullptr || !is_waiting()) return;
  if (now - std::max(exchange_.times.sent, looked_) < desk_.settings.doubt_after) return;
  Doubts& all = desk_.hands.doubts;
  if (all.pings_ >= Doubts::kPingsMax) return;
  auto ping = std::make_unique<PingPrelude>(desk_);
  Prelude::Host& host = *this;
  asked_ = exchange_.replica;
  asked_of_ = exchange_.times.sent;
  if (ping->begin(exchange_, host)) return;  // there is no way to replicas
  ping_ = std::move(ping);
  ++all.pings_;
}

// The last thing done: the exchange may end with it, and this with the exchange.
void Doubt::on_prelude_over(Prelude::Result) {
  const DoubtEnd end = ping_->on_silence();
  const Instant now = desk_.worker.now();
  drop_ping();
  looked_ = now;
  const bool is_of_this = asked_ == exchange_.replica && asked_of_ == exchange_.times.sent;
  if (!is_of_this || !is_waiting()) return;
  desk_.numbers.note_doubt(asked_->id, end);
  if (end == DoubtEnd::kAlive) heard_ = now;
  const bool is_deaf = end == DoubtEnd::kSilent && desk_.settings.hang_after != kForever &&
                       now - std::max(asked_of_, heard_) >= desk_.settings.hang_after;
  if (end != DoubtEnd::kLost && !is_deaf) return;
  finding_ = is_deaf ? Finding::kDeaf : Finding::kDenied;
  log::warning(is_deaf ? "a replica answers neither a call nor pings; the call is given up"
                       : "a replica owes an answer and does not know the session any more; the "
                         "call is given up",
               {{"pool", desk_.pool.name},
                {"replica", asked_->id},
                {"session", mark_of(exchange_.session.client_id)},
                {"request_id", exchange_.request_id}});
  if (exchange_.door != nullptr) exchange_.door->lose_replica();
}

}  // namespace limpet::mcp
