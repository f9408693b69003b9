// SPDX-License-Identifier: Apache-2.0
// The relay's other endings: waiting for a replica, another try, limpet's own answer, the loss of
// one side, and the one end they all come to. The way of a request that goes well is in relay.cc.
#include <utility>

#include "daemon/proxy/answers.h"
#include "daemon/proxy/client_stream.h"
#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/generation.h"
#include "daemon/proxy/relay.h"
#include "daemon/proxy/replica_stream.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

// Waiting
// ---------------------------------------------------------------------------------------------------

void Relay::wait(const Choice& choice) {
  const Instant now = room_.loop().now();
  // A wait for somebody else is another wait, with a time of its own.
  if (choice.replica != awaited_) timer_.disarm();
  await(choice.replica);
  if (state_ != State::kWaiting) {
    if (pool_->waiting->size() >= room_.share_of(choice.queue_max)) {
      room_.counters().limit_queue->add();
      exchange_.answer = {.status = 503,
                          .detail = "every replica of the pool is full, and so is its queue",
                          .retry_after = std::chrono::seconds(1)};
      answer_locally();
      return;
    }
    state_ = State::kWaiting;
    waiting_since_ = now;
    pool_->waiting->join(*this);
    hold_client();
  }
  exchange_.is_waiting_over = false;
  if (!timer_.is_armed()) timer_.arm(room_.loop().timers(), deadline_after(now, choice.at_most));
}

// Counts this relay in the queue of the replica it waits for.
void Relay::await(const Replica* replica) noexcept {
  if (replica == awaited_) return;
  const auto change = [this](const Replica& of, int by) {
    auto& queued = of.vitals->share(room_.index()).queued;
    queued.store(queued.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(by),
                 std::memory_order_relaxed);
  };
  if (awaited_ != nullptr) change(*awaited_, -1);
  awaited_ = replica;
  if (awaited_ != nullptr) change(*awaited_, 1);
}

void Relay::on_turn_in_queue() {
  if (state_ == State::kWaiting) choose_replica();
  flush_replica();
}

void Relay::on_timer(Timer&) {
  WorkerRoom& room = room_;
  if (state_ == State::kResponding) keep_alive();
  if (state_ == State::kWaiting) {
    exchange_.is_waiting_over = true;
    exchange_.waited_for = awaited_;
    choose_replica();
    flush_replica();
  }
  room.after_callback();
}

// Another try
// -----------------------------------------------------------------------------------------------

Repeat Relay::repeat_of(FailureCause cause) const {
  switch (cause) {
    case FailureCause::kConnectRefused:
    case FailureCause::kConnectTimeout:
    case FailureCause::kConnectFailed:
    case FailureCause::kUnsent:
    case FailureCause::kRefusedStream:
      return has_sent_body_ ? Repeat::kForbidden : Repeat::kSafe;
    case FailureCause::kReset:
    case FailureCause::kBadResponse:
    case FailureCause::kHeadTimeout:
    case FailureCause::kStatus:
      return has_sent_body_ || !is_request_ended_ ? Repeat::kForbidden : Repeat::kIfAllowed;
    case FailureCause::kNone:
    case FailureCause::kOwnLimit:
    case FailureCause::kBodyTimeout:
    case FailureCause::kTruncated:
      break;
  }
  return Repeat::kForbidden;
}

// A kept connection that dies before it answered was most likely closed by the replica while the
// request was under way. That says nothing of the replica, so the request is sent once more, on a
// new connection, if it is idempotent or no byte of it had left (RFC 9112 section 9.3.1).
bool Relay::may_redial(FailureCause cause) const {
  if (!was_reused_ || has_redialled_ || has_sent_body_) return false;
  if (cause == FailureCause::kUnsent) return true;
  return cause == FailureCause::kReset && is_request_ended_ &&
         is_idempotent(exchange_.request.method);
}

void Relay::on_attempt_failed(FailureCause cause) {
  let_go_of_replica();
  if (state_ == State::kOver) return;
  if (prelude_ != nullptr) std::exchange(prelude_, nullptr)->cancel();
  judged_ = nullptr;
  held_answer_.clear();
  Attempt& attempt = exchange_.attempts[exchange_.attempts_count - 1U];
  if (!is_client_started_ && may_redial(cause)) {
    has_redialled_ = true;
    room_.counters().redials->add();
    dial(Dial::kAgain);
    flush_replica();
    return;
  }
  attempt.failure = cause;
  if (cause == FailureCause::kConnectRefused)
    attempt.replica->vitals->note_death(room_.loop().wall_now());
  const Failure failure{cause, is_client_started_ ? Repeat::kForbidden : repeat_of(cause)};
  const Verdict verdict = pool_->chain.ask_failure(exchange_, failure);
  const bool is_slow = cause == FailureCause::kHeadTimeout || cause == FailureCause::kBodyTimeout ||
                       cause == FailureCause::kConnectTimeout;
  if (is_client_started_) {
    if (mend(failure)) return;
    fail_response(is_slow ? Ending::kReplicaSlow : Ending::kReplicaFailed);
    return;
  }
  if (exchange_.answer_judge != nullptr) {
    const auto judged = exchange_.answer_judge->judge_failure(exchange_, failure);
    if (judged != AnswerJudge::Verdict::kPass) return follow(judged);
  }
  const bool may_repeat =
      failure.repeat != Repeat::kForbidden && exchange_.attempts_count < pool_->attempts_max();
  if (verdict == Verdict::kSettled && may_repeat) {
    choose_replica();
    flush_replica();
    return;
  }
  exchange_.ending = is_slow ? Ending::kReplicaSlow : Ending::kReplicaFailed;
  if (cause == FailureCause::kOwnLimit) {
    exchange_.answer = {.status = 503,
                        .detail = "limpet has no connection to spare",
                        .retry_after = std::chrono::seconds(1)};
    answer_locally();
  } else if (is_slow) {
    answer(504, "the replica did not answer in time");
  } else {
    answer(502, "the replica could not be reached or its answer was broken");
  }
}

// Instead of an answer that may be had better elsewhere. It is let go only for a replica that has
// room now: otherwise it is the best there is, and what select said in vain is taken back.
bool Relay::finds_another() {
  const AffinityFacts affinity = exchange_.affinity;
  const SessionFacts session = exchange_.session;
  Candidates candidates(*exchange_.pool, exchange_, pool_->plan->limits, room_.loop().now(),
                        pool_->is_panicking(room_.loop().now()));
  static_cast<void>(pool_->chain.ask_select(exchange_, candidates));
  if (candidates.choice().kind != Choice::Kind::kChosen) {
    exchange_.affinity = affinity;
    exchange_.session = session;
    exchange_.answer = {};
    exchange_.prelude = nullptr;
    return false;
  }
  let_go_of_replica();
  exchange_.replica = candidates.choice().replica;
  go_on(Next::kReach);
  flush_replica();
  return true;
}

// limpet's own answer
// ---------------------------------------------------------------------------------------

void Relay::begin_refused(std::uint16_t status, std::string_view detail) {
  is_request_ended_ = true;
  static_cast<void>(generation_->bare_chain().ask_request(exchange_));
  exchange_.ending = Ending::kRefused;
  answer(status, detail);
}

void Relay::answer(std::uint16_t status, std::string_view detail) {
  exchange_.answer = {.status = status, .detail = detail};
  answer_locally();
}

// A client that waits for "continue" will not send the body that the answer would repeat.
bool Relay::must_collect_body() const {
  return exchange_.answer.make_body != nullptr && !is_request_ended_ &&
         !exchange_.request.expects_continue && held_body_.size() < room_.buffer_bytes_max();
}

void Relay::answer_locally() {
  let_go_of_replica();
  if (is_client_started_) {
    fail_response(Ending::kRefused);
    return;
  }
  if (must_collect_body()) {
    state_ = State::kCollecting;
    resume_client();
    return;
  }
  if (exchange_.answer.make_body != nullptr) {
    exchange_.answer.body = exchange_.answer.make_body(exchange_.arena, held_body_.view());
  }
  is_client_started_ = true;
  // The rest of the request is not waited for.
  if (!client_.is_request_complete()) client_.close_after_this();
  const LocalAnswer local = make_answer(exchange_, room_.http_date());
  exchange_.response = local.head;
  exchange_.status = exchange_.answer.status;
  (pool_ != nullptr ? pool_->chain : generation_->bare_chain()).tell_response(exchange_);
  client_.send_head(*local.head);
  if (client_.carries_body() && !local.body.empty()) {
    exchange_.response_body_bytes = local.body.size();
    client_.send_body(local.body);
  }
  client_.send_end(nullptr);
  finish(exchange_.ending == Ending::kComplete ? Ending::kAnswered : exchange_.ending);
}

// The loss of one side
// --------------------------------------------------------------------------------------

void Relay::on_request_fault(std::uint16_t status, std::string_view reason) {
  if (state_ == State::kOver) return;
  exchange_.ending = Ending::kRefused;
  client_.close_after_this();
  answer(status, reason);
}

void Relay::on_client_gone() {
  if (state_ == State::kOver) return;
  finish(exchange_.ending == Ending::kComplete ? Ending::kClientGone : exchange_.ending);
}

void Relay::on_client_half_closed() {
  // Who still queues when its client closes is not worth a replica's work; who watches events has
  // left.
  const bool is_watching = state_ == State::kResponding && exchange_.response != nullptr &&
                           is_event_stream(*exchange_.response);
  if (state_ == State::kWaiting || is_watching) client_.cut(Ending::kClientGone);
}

void Relay::will_end_by(Ending ending) noexcept {
  if (exchange_.ending == Ending::kComplete) exchange_.ending = ending;
}

void Relay::on_client_stalled() {
  exchange_.ending = Ending::kClientSlow;
  if (is_client_started_ || state_ == State::kOver) {
    client_.abort();
    return;
  }
  answer(408, "the request body did not arrive in time");
}

// A response that cannot be finished is broken visibly, never ended as if it were whole.
void Relay::fail_response(Ending ending) {
  exchange_.ending = ending;
  client_.abort();
}

// The end
// ---------------------------------------------------------------------------------------------------

void Relay::let_go_of_replica() {
  if (replica() != nullptr) replica()->cancel();
  if (slot_ == nullptr) return;
  std::exchange(slot_, nullptr)->count_out();
  pool_->waiting->on_room();
}

void Relay::finish(Ending ending) {
  if (state_ == State::kWaiting) {
    pool_->waiting->leave(*this);
    timer_.disarm();
  }
  if (prelude_ != nullptr) std::exchange(prelude_, nullptr)->cancel();
  timer_.disarm();
  await(nullptr);
  state_ = State::kOver;
  exchange_.ending = ending;
  exchange_.times.done = room_.loop().now();
  if (replica() != nullptr && ending == Ending::kComplete) replica()->finish(is_request_end_sent_);
  let_go_of_replica();
  // The client has its answer before anybody takes notes.
  client_.on_exchange_done(*this);
  (pool_ != nullptr ? pool_->chain : generation_->bare_chain()).tell_done(exchange_);
}

}  // namespace limpet
