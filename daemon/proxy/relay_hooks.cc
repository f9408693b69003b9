// SPDX-License-Identifier: Apache-2.0
// What modules may put into an exchange's way: a prelude that is finished first, a judge of the
// replica's answer, a hook in the response's body, and bytes of limpet's own. An exchange that has
// none of these never comes here but for go_on().
#include <utility>

#include "daemon/proxy/client_stream.h"
#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/generation.h"
#include "daemon/proxy/relay.h"
#include "daemon/proxy/replica_stream.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

// Preludes
// --------------------------------------------------------------------------------------------------

void Relay::go_on(Next next) {
  if (exchange_.prelude == nullptr) [[likely]]
    return step(next);
  prelude_ = std::exchange(exchange_.prelude, nullptr);
  after_prelude_ = next;
  state_ = State::kPrelude;
  const auto result = prelude_->begin(exchange_, *this);
  if (!result) return;
  prelude_ = nullptr;
  follow(*result);
}

void Relay::step(Next next) {
  switch (next) {
    case Next::kSelect:
      state_ = State::kSelecting;
      return choose_replica();
    case Next::kReach:
      return reach_replica();
    case Next::kJudge:
      state_ = State::kJudging;
      return judge();
  }
}

void Relay::on_prelude_over(Prelude::Result result) {
  prelude_ = nullptr;
  follow(result);
  if (state_ != State::kOver) flush_replica();
}

void Relay::follow(Prelude::Result result) {
  switch (result) {
    case Prelude::Result::kGoOn:
      // One thing may follow another.
      return go_on(after_prelude_);
    case Prelude::Result::kChooseAgain:
      return judged_ != nullptr ? try_again() : go_on(Next::kSelect);
    case Prelude::Result::kAnswer:
      return answer_locally();
  }
}

// Judged answers
// --------------------------------------------------------------------------------------------

bool Relay::holds_answer(ResponseHead& head) {
  judged_bytes_wanted_ = exchange_.answer_judge->wants_of(exchange_, head);
  if (judged_bytes_wanted_ == 0) return false;
  judged_ = &head;
  is_answer_whole_ = false;
  held_answer_.clear();
  state_ = State::kJudging;
  expect_more(head.body.kind);
  return true;
}

void Relay::judge() {
  if (!is_answer_whole_ && held_answer_.size() < judged_bytes_wanted_) return;
  follow(exchange_.answer_judge->judge(exchange_, *judged_, held_answer_.view(), is_answer_whole_));
}

void Relay::follow(AnswerJudge::Verdict verdict) {
  switch (verdict) {
    case AnswerJudge::Verdict::kPass: {
      const bool is_whole = is_answer_whole_;
      const Buffer held = std::move(held_answer_);
      ResponseHead& head = *std::exchange(judged_, nullptr);
      if (is_continuing_) {
        continue_response(head);
      } else {
        begin_response(head);
      }
      if (state_ != State::kResponding) return;
      if (!held.is_empty()) on_response_body(held.view());
      if (is_whole && state_ == State::kResponding) on_response_end();
      flush_client();
      return;
    }
    case AnswerJudge::Verdict::kAgain:
      return try_again();
    case AnswerJudge::Verdict::kAnswer:
      held_answer_.clear();
      return answer_locally();
    case AnswerJudge::Verdict::kWait:
      // What else comes of the answer waits where it is.
      if (replica() != nullptr) replica()->pause_reading();
      return judged_ != nullptr ? go_on(Next::kJudge) : try_again();
  }
}

// Where an answer said that the request was not processed, the replica did nothing wrong and may be
// chosen again. After a failure the judge has said so in the attempt, or not.
void Relay::try_again() {
  if (judged_ != nullptr && exchange_.attempts_count > 0)
    exchange_.attempts[exchange_.attempts_count - 1U].may_be_tried_again = true;
  judged_ = nullptr;
  held_answer_.clear();
  if (exchange_.attempts_count >= Exchange::kAttemptsMax) {
    answer(502, "no replica would take the request");
    return;
  }
  if (replica() != nullptr && is_answer_whole_) replica()->finish(is_request_end_sent_);
  let_go_of_replica();
  go_on(Next::kSelect);
  flush_replica();
}

// Responses that go on
// ----------------------------------------------------------------------------------------

bool Relay::mend(const Failure& failure) {
  ResponseHook* hook = exchange_.response_hook;
  if (hook == nullptr || state_ == State::kTunnel) return false;
  scratch_.clear();
  switch (hook->on_lost(exchange_, failure, scratch_)) {
    case ResponseHook::Mend::kBreak:
      return false;
    case ResponseHook::Mend::kEnd:
      if (!scratch_.is_empty()) client_.send_body(scratch_.view());
      client_.send_end(nullptr);
      finish(Ending::kReplicaFailed);
      return true;
    case ResponseHook::Mend::kContinue:
      if (exchange_.attempts_count >= Exchange::kAttemptsMax) return false;
      if (!scratch_.is_empty()) client_.send_body(scratch_.view());
      is_continuing_ = true;
      timer_.disarm();
      go_on(Next::kSelect);
      flush_replica();
      return true;
  }
  return false;
}

void Relay::continue_response(ResponseHead& head) {
  if (!exchange_.response_hook->on_continued(exchange_, head)) {
    let_go_of_replica();
    fail_response(Ending::kReplicaFailed);
    return;
  }
  is_continuing_ = false;
  exchange_.attempts_count = 1;  // a stream may outlive many replicas
  exchange_.attempts[0] = {exchange_.replica, FailureCause::kNone, false, {}};
  state_ = State::kResponding;
  if (exchange_.keep_alive_every != kForever) start_keep_alive();
  expect_more(BodyLength::Kind::kUnknown);
}

// limpet's own bytes
// -----------------------------------------------------------------------------------------

void Relay::start_keep_alive() {
  last_said_ = room_.loop().now();
  timer_.arm(room_.loop().timers(), deadline_after(last_said_, exchange_.keep_alive_every));
}

void Relay::keep_alive() {
  const Instant now = room_.loop().now();
  const Duration silent = now - last_said_;
  if (silent >= exchange_.keep_alive_every && put(exchange_.keep_alive_bytes)) {
    last_said_ = now;
    if (exchange_.keep_alives != nullptr) exchange_.keep_alives->add();
  }
  timer_.arm(room_.loop().timers(), std::max(deadline_after(last_said_, exchange_.keep_alive_every),
                                             now + std::chrono::milliseconds(100)));
}

bool Relay::put(std::string_view bytes) {
  if (state_ != State::kResponding && !is_continuing_) return false;
  if (!is_client_started_ || !client_.carries_body()) return false;
  if (exchange_.response_hook != nullptr && !exchange_.response_hook->is_between()) return false;
  if (client_.queued_bytes() > room_.pause_above_bytes()) return false;
  exchange_.response_body_bytes += bytes.size();
  client_.send_body(bytes);
  client_.flush();
  return true;
}

void Relay::end() {
  if (state_ == State::kOver || !is_client_started_) return;
  // The replica's answer goes on: it is taken back, not kept.
  let_go_of_replica();
  client_.send_end(nullptr);
  finish(Ending::kComplete);
}

void Relay::lose_replica() {
  if (state_ == State::kOver || replica() == nullptr) return;
  has_redialled_ = true;  // another connection would meet the same replica
  on_attempt_failed(FailureCause::kReset);
}

}  // namespace limpet
