// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_turn.h"

#include <utility>

#include "daemon/base/log.h"
#include "daemon/module/principal.h"
#include "modules/mcp/announcement.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

namespace {

constexpr std::int64_t kConnectionClosed = -32000;

// A POST of MCP's streamable HTTP must accept both; nothing else of the web does.
bool accepts_json_and_events(const HeaderList& fields) noexcept {
  const std::string_view accept = fields.value(FieldName::kAccept);
  return accept.find("text/event-stream") != std::string_view::npos &&
         accept.find("application/json") != std::string_view::npos;
}

bool is_own_answer(const Exchange& exchange) noexcept {
  return exchange.answer.status != 0 || exchange.replica == nullptr;
}

// A connect that this exchange saw refused: the process is no more.
bool was_refused_by(const Exchange& exchange, const Replica& replica) noexcept {
  for (std::size_t i = 0; i < exchange.attempts_count; ++i) {
    const Attempt& attempt = exchange.attempts[i];
    if (attempt.failure == FailureCause::kConnectRefused && attempt.replica->id == replica.id)
      return true;
  }
  return false;
}

}  // namespace

bool is_mcp_request(const RequestHead& request) noexcept {
  const HeaderList& fields = request.fields;
  if (fields.may_have(FieldName::kMcpSessionId) || fields.may_have(FieldName::kMcpProtocolVersion))
    return true;
  return request.method == Method::kPost && accepts_json_and_events(fields);
}

// The request
// ----------------------------------------------------------------------------------------------

SessionTurn::SessionTurn(Desk& desk, Exchange& exchange)
    : desk_(desk), exchange_(exchange), doubt_(desk, exchange) {}

SessionTurn::~SessionTurn() = default;

void SessionTurn::on_request() {
  const RequestHead& request = exchange_.request;
  sent_id_ = request.fields.value(FieldName::kMcpSessionId);
  if (request.method == Method::kPost) {
    const bool is_kept =
        request.body.kind != BodyLength::Kind::kKnown || request.body.bytes <= kBodyKeptBytes;
    if (is_kept && request.body.kind != BodyLength::Kind::kNone)
      exchange_.body_wanted_bytes = kBodyKeptBytes;
  }
  if (sent_id_.empty()) return;
  is_call_ = request.method != Method::kGet;
  const SessionActivity::Begun begun =
      desk_.hands.activity.begin(sent_id_, doing(), desk_.worker.now());
  use_ = begun.use;
  is_met_now_ = begun.is_new;
  doubt_.begin();
  exchange_.carrier = this;
  exchange_.answer_judge = this;
}

const RpcMessage& SessionTurn::message() {
  if (!message_) {
    message_ =
        exchange_.is_request_body_whole ? read_message(exchange_.request_body) : RpcMessage{};
  }
  return *message_;
}

const RpcGlance& SessionTurn::said() {
  if (!said_ && exchange_.is_request_body_whole) said_ = glance_at(exchange_.request_body);
  if (!said_) said_ = RpcGlance{message().kind, message().method, message().name, message().id};
  return *said_;
}

Presented SessionTurn::presented() const {
  const HeaderList& fields = exchange_.request.fields;
  return {principal_of(fields, exchange_.client.tls_subject, desk_.settings.binding()),
          credential_of(fields)};
}

// Where the session lives
// ----------------------------------------------------------------------------------------------

SessionCarrier::Place SessionTurn::find(Exchange& exchange, std::string_view client_id) {
  SessionStore& store = desk_.state.store;
  const Instant now = desk_.worker.now();
  if (store.is_buried(client_id, now)) {
    desk_.numbers.note_stale();
    return {Kind::kEnded};
  }
  const bool is_learnt = desk_.settings.session_ids == SessionIds::kLearn;
  if (is_learnt && !is_presented_by_its_own(client_id)) return {Kind::kUnknown};
  const std::optional<SessionHome> home = store.home_of(client_id, now);
  if (home && (home->moves > 0 || is_learnt)) {
    const bool is_given_up = exchange.session.is_lost && home->moves == home_moves_;
    const Place place = is_given_up ? Place{} : move_to(*home);
    if (place.kind == Kind::kMoved) return place;
    home_moves_ = home->moves;
  }
  return order_carrying(client_id);
}

// A wrapped id says by itself whose it is; of an id that was learnt only its record does.
bool SessionTurn::is_presented_by_its_own(std::string_view client_id) {
  if (desk_.settings.bind_to == PrincipalRule::Kind::kOff) return true;
  const auto record = desk_.state.store.find(client_id, desk_.worker.now());
  return !record || record->principal == presented().principal;
}

SessionCarrier::Place SessionTurn::move_to(const SessionHome& home) {
  const Replica* replica = desk_.pool.find(home.replica);
  if (replica == nullptr || was_refused_by(exchange_, *replica)) return {};
  const Vitals& vitals = *replica->vitals;
  const WallSeconds dead(std::chrono::seconds(vitals.last_dead_s.load(std::memory_order_relaxed)));
  if (!is_same_life(home, dead, vitals.incarnation.load(std::memory_order_relaxed))) return {};
  // Event ids are those of the replica that gave them.
  if (home.moves != home_moves_) exchange_.request.fields.remove(FieldName::kLastEventId);
  home_moves_ = home.moves;
  exchange_.session.is_lost = false;
  return {Kind::kMoved, replica, exchange_.arena.copy(home.original_id)};
}

SessionCarrier::Place SessionTurn::order_carrying(std::string_view client_id) {
  lose(loss_);
  CarryOrder order;
  order.id = client_id;
  order.home = home_replica();
  // What died with its replica is not opened anew in order to be ended.
  if (exchange_.request.method == Method::kDelete) {
    end_session(client_id);
    return {Kind::kEnded};
  }
  const bool may_be_known = desk_.shared != nullptr || desk_.state.store.knows_birth(client_id);
  const bool is_off = desk_.settings.carry_over == CarryPolicy::kOff;
  if (is_off || !may_be_known || (carry_ != nullptr && !carry_->may_try())) {
    const CarryEnd end = is_off         ? CarryEnd::kOff
                         : may_be_known ? CarryEnd::kFailed
                                        : CarryEnd::kUnknown;
    note_given_up(client_id, end);
    return {Kind::kUnknown};
  }
  order.home_moves = home_moves_;
  order.cause = loss_;
  order.presented = presented();
  order.denial = loss_ == LossCause::kDenied ? Denial::kReplicaDenies : Denial::kReplicaGone;
  // Answers to requests of the replica that is lost, and what the handshake says by itself.
  order.is_answered_by_carrying =
      exchange_.request.method == Method::kPost &&
      (said().kind == RpcKind::kResponse || said().method == RpcMethod::kInitialized);
  if (carry_ == nullptr)
    carry_ = std::make_unique<CarryPrelude>(desk_, std::move(order));
  else
    carry_->renew(std::move(order));
  exchange_.prelude = carry_.get();
  return {Kind::kCarry};
}

// Where the session was, as far as that is remembered.
std::string SessionTurn::home_replica() const {
  const auto home = desk_.state.store.home_of(sent_id_, desk_.worker.now());
  return home ? home->replica : std::string();
}

// Asked twice, it is said once.
void SessionTurn::note_given_up(std::string_view client_id, CarryEnd end) {
  if (std::exchange(is_given_up_, true)) return;
  desk_.numbers.note_carry(home_replica(), end);
  desk_.numbers.note_stale();
  log::warning("a session is lost and is not carried over", {{"pool", desk_.pool.name},
                                                             {"session", mark_of(client_id)},
                                                             {"cause", name_of(end)},
                                                             {"lost", name_of(loss_)},
                                                             {"request_id", exchange_.request_id}});
}

bool SessionTurn::shall_leave(const Replica& replica) {
  if (desk_.left_replicas.empty() || desk_.settings.carry_over == CarryPolicy::kOff ||
      exchange_.request.method == Method::kDelete || said().kind == RpcKind::kResponse)
    return false;
  if (desk_.left_replicas.find(replica.id) == desk_.left_replicas.end()) return false;
  // Others of this session's requests are still at work there.
  if (desk_.hands.activity.is_shared(sent_id_)) return false;
  loss_ = LossCause::kDraining;
  home_moves_ = 0;
  if (const auto home = desk_.state.store.home_of(sent_id_, desk_.worker.now()))
    home_moves_ = home->moves;
  exchange_.session.is_lost = true;
  return true;
}

void SessionTurn::lose(LossCause cause) {
  if (std::exchange(is_counted_lost_, true)) return;
  desk_.numbers.note_lost(home_replica(), cause);
}

// Answers and failures
// ----------------------------------------------------------------------------------------------

AskedOfSession SessionTurn::asked() {
  AskedOfSession asked;
  asked.method = exchange_.request.method;
  asked.has_session_id = !exchange_.session.client_id.empty();
  if (asked.method == Method::kPost) asked.call = said().method;
  return asked;
}

// A request whose body was not kept cannot be made again: the replica's answer is all there is.
std::size_t SessionTurn::wants_of(Exchange& exchange, const ResponseHead& head) {
  const bool is_kept =
      exchange.is_request_body_whole || exchange.request.body.kind == BodyLength::Kind::kNone;
  return is_kept ? bytes_to_judge(asked(), head) : 0;
}

AnswerJudge::Verdict SessionTurn::judge(Exchange& exchange, const ResponseHead& head,
                                        std::string_view body, bool is_whole) {
  Loss loss = judge_answer(
      asked(), {head.status, head.fields.value(FieldName::kContentType), body, is_whole});
  if (loss == Loss::kDoubtful) {
    if (ping_ == nullptr) {
      ping_ = std::make_unique<PingPrelude>(desk_);
      exchange.prelude = ping_.get();
      return Verdict::kWait;
    }
    loss = ping_->verdict();
  }
  return loss == Loss::kLost ? on_denied() : Verdict::kPass;
}

AnswerJudge::Verdict SessionTurn::on_denied() {
  loss_ = LossCause::kDenied;
  ping_.reset();
  exchange_.session.is_lost = true;
  if (exchange_.session.is_carried && carry_ != nullptr && carry_->new_home())
    home_moves_ = carry_->new_home()->moves;
  if (++repeats_ > kRepeatsMax) {
    exchange_.answer = session_not_found(exchange_.arena, said().id);
    return Verdict::kAnswer;
  }
  return Verdict::kAgain;
}

// The replica is asked anew: where it is dead, its connect is refused and the session is gone.
AnswerJudge::Verdict SessionTurn::repeat() {
  return ++repeats_ > kRepeatsMax ? Verdict::kPass : Verdict::kAgain;
}

AnswerJudge::Verdict SessionTurn::judge_failure(Exchange& exchange, const Failure& failure) {
  if (exchange.session.client_id.empty() || failure.cause == FailureCause::kOwnLimit ||
      exchange.attempts_count == 0)
    return Verdict::kPass;
  if (carry_ != nullptr && carry_->new_home()) home_moves_ = carry_->new_home()->moves;
  const Doubt::Finding finding = doubt_.take_finding();
  if (finding == Doubt::Finding::kDenied) return judge_denial_in_silence();
  Attempt& attempt = exchange.attempts[exchange.attempts_count - 1U];
  switch (failure.repeat) {
    case Repeat::kForbidden:
      return exchange.is_request_body_whole ? answer_unanswered() : Verdict::kPass;
    case Repeat::kSafe:
      attempt.may_be_tried_again =
          failure.cause == FailureCause::kUnsent || failure.cause == FailureCause::kRefusedStream;
      return repeat();
    case Repeat::kIfAllowed:
      break;
  }
  if (!is_harmless()) return answer_unanswered();
  // Once: a replica that fails twice is no better the third time.
  attempt.may_be_tried_again = repeats_ == 0 && failure.cause != FailureCause::kHeadTimeout &&
                               finding == Doubt::Finding::kNone;
  return repeat();
}

bool SessionTurn::is_harmless() {
  const Method method = exchange_.request.method;
  return method == Method::kGet || method == Method::kDelete ||
         said().kind == RpcKind::kNotification || said().kind == RpcKind::kResponse ||
         is_safe_to_repeat(message());
}

// The replica had the call, and does not know its session: the call may have run before that.
AnswerJudge::Verdict SessionTurn::judge_denial_in_silence() {
  if (is_harmless()) return on_denied();
  loss_ = LossCause::kDenied;
  lose(loss_);
  if (desk_.settings.carry_over != CarryPolicy::kOff) return answer_unanswered();
  desk_.numbers.note_stale();
  exchange_.answer = session_not_found(exchange_.arena, message().id);
  return Verdict::kAnswer;
}

// The call may have run, so nobody may send it again but its caller.
AnswerJudge::Verdict SessionTurn::answer_unanswered() {
  if (said().kind != RpcKind::kRequest) return Verdict::kPass;
  desk_.numbers.note_unanswered();
  exchange_.ending = Ending::kReplicaFailed;
  exchange_.answer.status = 200;
  exchange_.answer.content_type = "application/json";
  exchange_.answer.body = exchange_.arena.copy(
      error_body(said().id, kConnectionClosed,
                 "The server was lost before it answered; the call may have been executed"));
  return Verdict::kAnswer;
}

// The response
// ----------------------------------------------------------------------------------------------

void SessionTurn::on_response() {
  doubt_.end();
  if (is_own_answer(exchange_)) return;
  const ResponseHead& response = *exchange_.response;
  const bool is_good = response.status / 100 == 2;
  if (is_met_now_ && is_good) meet();
  const bool is_plain = response.fields.find("content-encoding") == nullptr;
  const BodyForm form =
      is_plain ? form_of(response.fields.value(FieldName::kContentType)) : BodyForm::kOther;
  switch (exchange_.request.method) {
    case Method::kDelete:
      if (is_good && !exchange_.session.client_id.empty()) end_session(exchange_.session.client_id);
      return;
    case Method::kGet:
      if (is_good && form == BodyForm::kEvents) watch(StreamWatch::Kind::kGet, form);
      return;
    case Method::kPost:
      static_cast<void>(said());  // for on_done()
      break;
    default:
      return;
  }
  if (!is_good || form == BodyForm::kOther) return note_change();
  if (said().kind == RpcKind::kRequest && said().method == RpcMethod::kInitialize) {
    opened_id_ = response.fields.value(FieldName::kMcpSessionId);
    return watch(StreamWatch::Kind::kInitialize, form);
  }
  note_change();
  if (form == BodyForm::kEvents) watch(StreamWatch::Kind::kCall, form);
}

// A session of another instance, or of a time before this process began, is counted like others.
void SessionTurn::meet() {
  const std::string_view id = exchange_.session.client_id;
  if (id.empty() || exchange_.request.method == Method::kDelete) return;
  desk_.state.store.meet(id, home_on(desk_, *exchange_.replica, exchange_.session.original_id),
                         desk_.worker.now());
}

void SessionTurn::watch(StreamWatch::Kind kind, BodyForm form) {
  const RpcGlance* of = kind == StreamWatch::Kind::kGet ? nullptr : &said();
  announced_moves_ = home_moves_;
  StreamOwner& owner = *this;
  watch_ = std::make_unique<StreamWatch>(desk_, owner, exchange_, kind, of, form);
  exchange_.response_hook = watch_.get();
}

// What the client has set has to be set again on another replica.
void SessionTurn::note_change() {
  const RpcMethod asked = said().method;
  const bool is_change = asked == RpcMethod::kSetLevel || asked == RpcMethod::kSubscribe ||
                         asked == RpcMethod::kUnsubscribe;
  if (!is_change || exchange_.response->status / 100 != 2 || exchange_.session.client_id.empty())
    return;
  SessionStore& store = desk_.state.store;
  const std::string_view id = exchange_.session.client_id;
  const RpcMessage& change = message();
  Keeping kept = Keeping::kUnknown;
  if (asked == RpcMethod::kSetLevel) kept = store.set_level(id, change.level);
  if (asked == RpcMethod::kSubscribe) kept = store.subscribe(id, change.uri);
  if (asked == RpcMethod::kUnsubscribe) kept = store.unsubscribe(id, change.uri);
  if (kept != Keeping::kKept || desk_.shared == nullptr) return;
  const auto record = store.find(id, desk_.worker.now());
  // Of a session that was only met here another instance knows more.
  if (record && record->birth != nullptr) desk_.shared->publish(id, *record);
}

// Told before the client sees the answer, so that its next request finds the record.
void SessionTurn::on_opened(std::string_view json) {
  const RpcAnswer answer = read_answer(json);
  if (answer.kind != RpcAnswer::Kind::kResult || opened_id_.empty()) return;
  desk_.numbers.note_started(exchange_.replica->id);
  desk_.numbers.note_client(ClientEra::kSession, message().client_name);
  const bool is_learnt = desk_.settings.session_ids == SessionIds::kLearn;
  SessionRecord record;
  record.birth = make_birth(message(), exchange_.request_body, answer.result, presented(),
                            exchange_.request.target);
  record.home = home_on(desk_, *exchange_.replica,
                        is_learnt ? std::string_view(opened_id_) : exchange_.session.original_id);
  record.principal = presented().principal;
  if (record.home.original_id.empty()) return;
  if (desk_.shared != nullptr) desk_.shared->publish(opened_id_, record);
  static_cast<void>(desk_.state.store.keep(opened_id_, std::move(record), desk_.worker.now()));
}

bool SessionTurn::may_reopen() {
  if (exchange_.session.client_id.empty()) return false;
  if (carry_ != nullptr && carry_->new_home()) home_moves_ = carry_->new_home()->moves;
  return true;
}

std::string SessionTurn::announcement_due() {
  if (carry_ != nullptr && carry_->new_home()) home_moves_ = carry_->new_home()->moves;
  if (!desk_.settings.is_announced || home_moves_ == announced_moves_) return {};
  announced_moves_ = home_moves_;
  const auto record = desk_.state.store.find(exchange_.session.client_id, desk_.worker.now());
  if (!record || record->birth == nullptr) return {};
  return announcement(record->birth->server.capabilities);
}

void SessionTurn::end_session(std::string_view id) {
  std::string home = home_replica();
  if (home.empty() && exchange_.replica != nullptr) home = exchange_.replica->id;
  desk_.state.store.bury(id, desk_.worker.now());
  if (desk_.shared != nullptr) desk_.shared->bury(id);
  note_left(desk_, home);
  desk_.numbers.note_ended(home, SessionEnd::kDeleted);
}

// The end
// ----------------------------------------------------------------------------------------------

void SessionTurn::on_done() noexcept {
  doubt_.end();
  SessionActivity& activity = desk_.hands.activity;
  if (use_ != nullptr)
    activity.end(*use_, doing());
  else if (!sent_id_.empty())
    activity.end(sent_id_, doing(), desk_.worker.now());
  if (said_ && said_->method == RpcMethod::kCallTool && exchange_.status == 200 &&
      exchange_.times.done != kNever)
    desk_.numbers.note_tool_call(said_->name, exchange_.times.done - exchange_.times.started);
}

}  // namespace limpet::mcp
