// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/carry_prelude.h"

#include <algorithm>
#include <utility>

#include "daemon/base/log.h"
#include "modules/mcp/rpc_message.h"

namespace limpet::mcp {

namespace {

constexpr std::int64_t kSessionNotFound = -32001;
constexpr std::chrono::seconds kRetryAfter{1};

// Replicas that a handshake failed on are tried no more by this exchange.
bool note_try(Exchange& exchange) noexcept {
  if (exchange.attempts_count + 1U >= Exchange::kAttemptsMax) return false;
  exchange.attempts[exchange.attempts_count++] = {
      exchange.replica, FailureCause::kConnectFailed, false, {}};
  return true;
}

}  // namespace

Answer session_not_found(Arena& arena, std::string_view request_id) {
  Answer answer;
  answer.status = 404;
  answer.body = arena.copy(error_body(request_id, kSessionNotFound, "Session not found"));
  answer.content_type = "application/json";
  return answer;
}

// What the other instances know
// ----------------------------------------------------------------------------------------------

std::optional<Prelude::Result> CarryPrelude::begin(Exchange& exchange, Host& host) {
  exchange_ = &exchange;
  host_ = &host;
  new_home_.reset();
  std::optional<Result> result = start();
  if (result) leave();
  return result;
}

std::optional<Prelude::Result> CarryPrelude::start() {
  if (desk_.worker.calls() == nullptr)
    return give_up(CarryEnd::kFailed, "there is no way to replicas");
  if (desk_.shared != nullptr && !has_looked_up_) return look_up();
  return take_turn();
}

std::optional<Prelude::Result> CarryPrelude::look_up() {
  has_looked_up_ = true;
  state_ = State::kLookingUp;
  is_asking_ = true;
  desk_.shared->look_up(order_.id, [this, life = std::weak_ptr<int>(life_)](LookedUp found) {
    if (life.expired() || state_ != State::kLookingUp) return;
    if (is_asking_) {
      found_ = std::move(found);
      return;
    }
    over(on_looked_up(std::move(found)));
  });
  is_asking_ = false;
  if (!found_) return std::nullopt;
  return on_looked_up(*std::exchange(found_, std::nullopt));
}

std::optional<Prelude::Result> CarryPrelude::on_looked_up(LookedUp found) {
  SessionStore& store = desk_.state.store;
  const Instant now = desk_.worker.now();
  switch (found.kind) {
    case LookedUp::Kind::kEnded:
      store.bury(order_.id, now);
      return give_up(CarryEnd::kEnded, "its client has ended it");
    case LookedUp::Kind::kRecord: {
      const std::optional<SessionHome> known = store.home_of(order_.id, now);
      const bool is_news = !known || found.record->home.moves > known->moves ||
                           (found.record->birth != nullptr && !store.knows_birth(order_.id));
      if (!is_news) break;
      static_cast<void>(store.keep(order_.id, *std::move(found.record), now));
      return Result::kChooseAgain;
    }
    case LookedUp::Kind::kMissing:
    case LookedUp::Kind::kFailed:
      break;
  }
  return take_turn();
}

// A turn
// ----------------------------------------------------------------------------------------------

bool CarryPrelude::has_moved_meanwhile() {
  const std::optional<SessionHome> home = desk_.state.store.home_of(order_.id, desk_.worker.now());
  return home && home->moves > order_.home_moves;
}

std::optional<Prelude::Result> CarryPrelude::take_turn() {
  state_ = State::kTurn;
  if (has_moved_meanwhile()) return Result::kChooseAgain;
  if (letters_number_ == 0 && desk_.letters != nullptr)
    letters_number_ = desk_.letters->enter(*this);
  CarryWaiter* waiter = desk_.letters == nullptr ? nullptr : this;
  const CarryTurn turn = desk_.state.guard.ask(order_.id, waiter, desk_.worker.now());
  switch (turn.kind) {
    case CarryTurn::Kind::kRefuse:
      return give_up(CarryEnd::kRate, "too many sessions are carried over at the moment");
    case CarryTurn::Kind::kFollow:
      state_ = State::kFollowing;
      set_alarm(turn.begin);
      return std::nullopt;
    case CarryTurn::Kind::kLead:
      break;
  }
  is_leading_ = true;
  if (turn.begin <= desk_.worker.now()) return talk();
  state_ = State::kDelayed;
  set_alarm(turn.begin);
  return std::nullopt;
}

void CarryPrelude::on_carried(CarryEnd end) noexcept { desk_.letters->post(letters_number_, end); }

void CarryPrelude::on_letter(CarryEnd end) {
  if (state_ != State::kFollowing) return;
  // What kept the other one may not keep this one, but for what the server is.
  const bool is_final = end == CarryEnd::kDifferentServer || end == CarryEnd::kStateless;
  if (is_final) return over(give_up(end, "as the request that was first"));
  over(take_turn());
}

void CarryPrelude::on_alarm() {
  switch (state_) {
    case State::kFollowing:
      return over(take_turn());
    case State::kDelayed:
      return over(talk());
    case State::kTalking:
      handshake_->on_failure("the replica took too long");
      is_answer_over_ = true;
      return over(go_on_talking());
    case State::kIdle:
    case State::kLookingUp:
    case State::kTurn:
      return;
  }
}

// The talk with the new replica
// ----------------------------------------------------------------------------------------------

std::optional<Prelude::Result> CarryPrelude::talk() {
  if (has_moved_meanwhile()) return Result::kChooseAgain;
  record_ = desk_.state.store.find(order_.id, desk_.worker.now());
  if (!record_ || record_->birth == nullptr)
    return give_up(CarryEnd::kUnknown, "nothing is known of how it began");
  if (!may_carry_for(*record_->birth, order_.presented, order_.denial))
    return give_up(CarryEnd::kPrincipal, "somebody else presents it");
  ++tries_;
  state_ = State::kTalking;
  handshake_.emplace(*record_, desk_.settings.carry_over);
  set_alarm(deadline_after(desk_.worker.now(), desk_.settings.carry.flight_max));
  return go_on_talking();
}

void CarryPrelude::say() {
  CallRequest request;
  request.pool = &desk_.pool;
  request.replica = exchange_->replica;
  if (desk_.pool.forwards_client_host) request.authority = exchange_->request.authority;
  request.target = exchange_->request.target;
  request.fields = handshake_->fields(exchange_->request.fields);
  request.body = handshake_->body();
  request.head_within = desk_.settings.carry.flight_max;
  request.silence_max = desk_.settings.carry.flight_max;
  is_answer_over_ = false;
  call_ = desk_.worker.calls()->call(std::move(request), *this);
  handshake_->on_sent();
}

void CarryPrelude::on_call_head(const ResponseHead& head) {
  handshake_->on_head(head);
  // A stream may go on when it has said what it had to say.
  is_answer_over_ = form_of(head.fields.value(FieldName::kContentType)) == BodyForm::kEvents;
  over(go_on_talking());
}

void CarryPrelude::on_call_body(std::string_view bytes) {
  handshake_->feed(bytes);
  over(go_on_talking());
}

void CarryPrelude::on_call_end() {
  is_answer_over_ = true;
  handshake_->on_end();
  over(go_on_talking());
}

void CarryPrelude::on_call_failed(FailureCause cause) {
  is_answer_over_ = true;
  handshake_->on_failure(name_of(cause));
  over(go_on_talking());
}

// A connection is kept where its answer is read to the end.
std::optional<Prelude::Result> CarryPrelude::go_on_talking() {
  const Handshake::State at = handshake_->state();
  if (at == Handshake::State::kReading) return std::nullopt;
  if (call_ != nullptr && !is_answer_over_) return std::nullopt;
  call_.reset();
  switch (at) {
    case Handshake::State::kSend:
      say();
      return std::nullopt;
    case Handshake::State::kDone:
      return settle();
    case Handshake::State::kRefused:
      drop_new_session();
      if (handshake_->end() == CarryEnd::kFailed) return try_another(handshake_->reason());
      return give_up(handshake_->end(), handshake_->reason());
    case Handshake::State::kReading:
      break;
  }
  return std::nullopt;
}

Prelude::Result CarryPrelude::try_another(std::string_view reason) {
  const std::string text(reason);
  const bool may_go_on = note_try(*exchange_) && may_try();
  if (!may_go_on) return *give_up(CarryEnd::kFailed, text);
  log::info("a session could not be carried over to a replica; another one is tried",
            {{"pool", desk_.pool.name},
             {"session", mark_of(order_.id)},
             {"replica", exchange_->replica->id},
             {"reason", text}});
  leave();
  return Result::kChooseAgain;
}

std::optional<Prelude::Result> CarryPrelude::settle() {
  SessionStore& store = desk_.state.store;
  const Replica& replica = *exchange_->replica;
  SessionHome home = home_on(desk_, replica, handshake_->new_id());
  const Keeping kept = store.move(order_.id, home, desk_.worker.now());
  if (kept != Keeping::kKept)
    return kept == Keeping::kBuried ? give_up(CarryEnd::kEnded, "its client has ended it meanwhile")
                                    : give_up(CarryEnd::kUnknown, "its record made room meanwhile");
  if (desk_.settings.carry_over == CarryPolicy::kAlways)
    static_cast<void>(store.renew(order_.id, handshake_->server()));
  const std::optional<SessionRecord> moved = store.find(order_.id, desk_.worker.now());
  if (moved && desk_.shared != nullptr) desk_.shared->publish(order_.id, *moved);
  home.moves = record_->home.moves + 1;
  new_home_ = home;

  Exchange& exchange = *exchange_;
  exchange.session.original_id = exchange.arena.copy(home.original_id);
  exchange.session.is_carried = true;
  exchange.session.is_lost = false;
  exchange.request.fields.set(FieldName::kMcpSessionId, exchange.session.original_id);
  exchange.request.fields.remove(FieldName::kLastEventId);
  note_left(desk_, record_->home.replica);
  desk_.numbers.note_carry(record_->home.replica, CarryEnd::kCarried);
  log::info(
      "a session was carried over to another replica; what its old one kept in memory for it "
      "is lost",
      {{"pool", desk_.pool.name},
       {"session", mark_of(order_.id)},
       {"from", record_->home.replica},
       {"to", replica.id},
       {"cause", name_of(order_.cause)},
       {"request_id", exchange.request_id},
       {"not_replayed", std::to_string(handshake_->not_replayed())}});
  const Replica* old = desk_.pool.find(record_->home.replica);
  if (order_.cause == LossCause::kDraining && old != nullptr) {
    send_delete(desk_, *old, exchange.request.target, exchange.request.authority,
                fields_for_session(exchange.request.fields, record_->home.original_id,
                                   exchange.request.fields.value(FieldName::kMcpProtocolVersion)));
  }
  handshake_.reset();
  if (std::exchange(is_leading_, false)) desk_.state.guard.end(order_.id, CarryEnd::kCarried);
  if (!order_.is_answered_by_carrying) return Result::kGoOn;
  exchange.answer = {.status = 202};
  return Result::kAnswer;
}

// Ends
// ----------------------------------------------------------------------------------------------

std::optional<Prelude::Result> CarryPrelude::give_up(CarryEnd end, std::string_view reason) {
  Exchange& exchange = *exchange_;
  const RpcMessage message =
      exchange.is_request_body_whole ? read_message(exchange.request_body) : RpcMessage{};
  desk_.numbers.note_carry(order_.home, end);
  log::warning("a session is lost: it could not be carried over",
               {{"pool", desk_.pool.name},
                {"session", mark_of(order_.id)},
                {"cause", name_of(end)},
                {"reason", reason},
                {"request_id", exchange.request_id}});
  exchange.affinity.outcome = Outcome::kRefused;
  if (end == CarryEnd::kRate) {
    exchange.answer = {.status = 503,
                       .detail = "too many sessions are opened anew at the moment",
                       .retry_after = kRetryAfter};
  } else {
    desk_.numbers.note_stale();
    exchange.answer = session_not_found(exchange.arena, message.id);
  }
  if (std::exchange(is_leading_, false)) desk_.state.guard.end(order_.id, end);
  leave();
  return Result::kAnswer;
}

// A session that nothing leads to is not left behind on the replica.
void CarryPrelude::drop_new_session() {
  if (!handshake_ || !handshake_->has_opened()) return;
  send_delete(desk_, *exchange_->replica, exchange_->request.target, exchange_->request.authority,
              fields_for_session(exchange_->request.fields, handshake_->new_id(),
                                 handshake_->server().protocol_version));
}

void CarryPrelude::set_alarm(Instant at) {
  if (alarm_ == nullptr) {
    if (desk_.worker.watches() == nullptr) return;
    alarm_ = desk_.worker.watches()->make(*this);
  }
  alarm_->set_alarm(at);
}

void CarryPrelude::leave() noexcept {
  const bool was_talking = state_ == State::kTalking && handshake_.has_value();
  state_ = State::kIdle;
  call_.reset();
  if (was_talking && handshake_->state() != Handshake::State::kRefused) drop_new_session();
  handshake_.reset();
  if (alarm_ != nullptr) alarm_->set_alarm(kNever);
  if (letters_number_ != 0) {
    desk_.state.guard.leave(order_.id, *this);
    desk_.letters->leave(std::exchange(letters_number_, 0));
  }
  if (std::exchange(is_leading_, false)) desk_.state.guard.end(order_.id, CarryEnd::kFailed);
}

// The last thing that is done: the exchange may end with it, and this prelude with the exchange.
void CarryPrelude::over(std::optional<Result> result) {
  if (!result) return;
  leave();
  host_->on_prelude_over(*result);
}

}  // namespace limpet::mcp
