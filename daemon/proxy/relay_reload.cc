// SPDX-License-Identifier: Apache-2.0
// A reload that finds the relay waiting for room. Nothing of the request is on a replica yet, so it
// leaves the old configuration for the new one and begins there anew, with its head as it came:
// what the reload brought (replicas, limits) counts for it as for a request that comes now.
#include <utility>

#include "daemon/proxy/client_stream.h"
#include "daemon/proxy/generation.h"
#include "daemon/proxy/relay.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

// So often one request begins again; each time takes a copy of its head, and perhaps a wait anew.
constexpr std::uint8_t kReloadsMax = 8;

}  // namespace

// Modules change the head: they write fields, and take out what is none of the replica's business.
void Relay::keep_head() {
  kept_head_ = exchange_.arena.make<RequestHead>(exchange_.request);
  kept_head_->fields = exchange_.request.fields.copy();
}

// The pool of that name, where the request still leads to it. A session that is being moved, and
// one whose replica's answer was judged, know more than could be found out again.
const PoolPlan* Relay::pool_in(const Generation& fresh) const {
  if (kept_head_ == nullptr || reloads_ == kReloadsMax || is_client_started_) return nullptr;
  const bool is_judged = exchange_.answer_judge != nullptr && exchange_.attempts_count > 0;
  const SessionFacts& session = exchange_.session;
  if (is_judged || session.is_carried || session.is_lost || exchange_.prelude != nullptr)
    return nullptr;
  const RoutePlan* found = fresh.router().match(kept_head_->authority, kept_head_->path);
  if (found == nullptr || found->pool == nullptr) return nullptr;
  return found->pool->facts.name == exchange_.pool->name ? found->pool : nullptr;
}

void Relay::on_reload() {
  Generation& fresh = room_.generation();
  const PoolPlan* plan = state_ == State::kWaiting ? pool_in(fresh) : nullptr;
  if (plan == nullptr) return;
  ++reloads_;
  // The time in the pool's queue goes on; who waits for its session's replica may wait for another.
  if (awaited_ != nullptr) timer_.disarm();
  await(nullptr);
  exchange_.times.queued += room_.loop().now() - std::exchange(waiting_since_, kNever);
  pool_->waiting->leave(*this);
  leave_generation(fresh);
  take_attempts_over(*plan);
  begin();
  if (state_ != State::kWaiting) timer_.disarm();
  if (state_ == State::kReading) resume_client();
  flush_replica();
}

void Relay::leave_generation(Generation& fresh) {
  pool_->chain.tell_left(exchange_);
  generation_->count_out();
  generation_ = &fresh;
  generation_->count_in();
  exchange_.request = *std::exchange(kept_head_, nullptr);
  exchange_.replica = nullptr;
  exchange_.request_id = {};
  exchange_.client_address = exchange_.client.address;
  exchange_.affinity = {};
  exchange_.answer = {};
  exchange_.session = {};
  exchange_.carrier = nullptr;
  exchange_.sealer = nullptr;
  exchange_.answer_judge = nullptr;
  exchange_.is_waiting_over = false;
  exchange_.waited_for = nullptr;
  exchange_.body_wanted_bytes = 0;
  exchange_.request_body = {};
  exchange_.is_request_body_whole = keeps_body_ = false;
  exchange_.notes.fill(nullptr);
}

// Those on replicas that are no more go with them.
void Relay::take_attempts_over(const PoolPlan& plan) {
  std::uint8_t kept = 0;
  for (std::uint8_t i = 0; i < exchange_.attempts_count; ++i) {
    Attempt attempt = exchange_.attempts[i];
    attempt.replica = plan.facts.find(attempt.replica->id);
    if (attempt.replica != nullptr) exchange_.attempts[kept++] = attempt;
  }
  exchange_.attempts_count = kept;
}

}  // namespace limpet
