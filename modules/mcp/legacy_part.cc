// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/legacy_part.h"

#include <memory>
#include <utility>

#include "daemon/http/mcp_head.h"
#include "daemon/module/principal.h"
#include "modules/mcp/carry_prelude.h"
#include "modules/mcp/rpc_answer.h"
#include "modules/mcp/rpc_glance.h"
#include "modules/mcp/rpc_message.h"

namespace limpet::mcp {

namespace {

bool opens_stream(const RequestHead& request) noexcept {
  return request.method == Method::kGet &&
         request.fields.value(FieldName::kAccept).find("text/event-stream") !=
             std::string_view::npos;
}

bool posts_to_session(const RequestHead& request) noexcept {
  return request.method == Method::kPost && find_session_id_in_query(request.query).bytes > 0;
}

// What is compressed cannot be read on its way.
bool is_plain_stream(const ResponseHead& head) noexcept {
  return head.status == 200 &&
         form_of(head.fields.value(FieldName::kContentType)) == BodyForm::kEvents &&
         head.fields.find("content-encoding") == nullptr;
}

}  // namespace

std::string_view LegacyStream::on_body(std::string_view bytes, Buffer& scratch) {
  if (rewriter_.is_done()) {
    scanner_.feed(bytes, nullptr);
    return bytes;
  }
  out_.clear();
  rewriter_.feed(bytes, out_);
  scanner_.feed(out_, nullptr);
  scratch.append(out_);
  return scratch.view();
}

std::string_view LegacyStream::on_end(Buffer& scratch) {
  out_.clear();
  rewriter_.finish(out_);
  scratch.append(out_);
  return scratch.view();
}

LegacyStream::LegacyStream(Exchange& exchange, const PartContext& context)
    : exchange_(exchange),
      replica_(*exchange.replica),
      context_(context),
      hands_(context.state.hands_of(context.services.worker.worker())),
      open_(context.numbers, exchange),
      rewriter_(*this) {}

LegacyStream::~LegacyStream() {
  if (client_id_.empty()) return;
  const Instant now = context_.services.worker.now();
  hands_.activity.end(client_id_, Doing::kStream, now);
  context_.state.store.bury(client_id_, now);
  context_.numbers.note_ended(replica_.id, SessionEnd::kClosed);
  if (replica_.vitals->admin.load(std::memory_order_relaxed) == AdminState::kDrain)
    note_living(context_.state.store, replica_, context_.services.worker.wall_now());
}

std::string_view LegacyStream::wrap(std::string_view original) {
  if (exchange_.sealer != nullptr) {
    const std::string_view sealed = exchange_.sealer->seal(exchange_, original);
    if (!sealed.empty()) begin_session(sealed, original);
    return sealed;
  }
  if (context_.settings.session_ids == SessionIds::kLearn) begin_session(original, original);
  return {};
}

// So that it is counted, and, where ids are learnt, found.
void LegacyStream::begin_session(std::string_view client_id, std::string_view original) {
  if (!client_id_.empty()) return;
  WorkerServices& worker = context_.services.worker;
  SessionRecord record;
  record.home = {replica_.id, std::string(original), worker.wall_now(),
                 replica_.vitals->incarnation.load(std::memory_order_relaxed), 0};
  record.principal = principal_of(exchange_.request.fields, exchange_.client.tls_subject,
                                  context_.settings.binding());
  static_cast<void>(context_.state.store.keep(client_id, std::move(record), worker.now()));
  client_id_ = client_id;
  hands_.activity.begin(client_id_, Doing::kStream, worker.now());
  context_.numbers.note_started(replica_.id);
}

Taking LegacyPart::on_request(Exchange& exchange) {
  const RequestHead& request = exchange.request;
  if (request.fields.find(FieldName::kMcpSessionId) != nullptr || era_of(request) != Era::kSession)
    return Taking::kNotMine;
  if (opens_stream(request)) return Taking::kMine;
  if (!posts_to_session(request)) return Taking::kNotMine;
  if (context_.settings.session_ids == SessionIds::kLearn) exchange.carrier = this;
  if (request.body.kind == BodyLength::Kind::kKnown && request.body.bytes <= kIntroductionBytesMax)
    exchange.body_wanted_bytes = kIntroductionBytesMax;
  return Taking::kMine;
}

Verdict LegacyPart::on_select(Exchange& exchange, Candidates&) {
  if (exchange.request.method == Method::kPost) exchange.prelude = this;
  return Verdict::kNext;
}

std::optional<Prelude::Result> LegacyPart::begin(Exchange& exchange, Host&) {
  const std::string_view id = exchange.session.client_id;
  const Instant now = context_.services.worker.now();
  if (id.empty() || !context_.state.store.is_buried(id, now)) return Result::kGoOn;
  context_.numbers.note_stale();
  exchange.affinity.outcome = Outcome::kRefused;
  exchange.affinity.cause = Cause::kExpired;
  const RpcMessage message =
      exchange.is_request_body_whole ? read_message(exchange.request_body) : RpcMessage{};
  exchange.answer = session_not_found(exchange.arena, message.id);
  return Result::kAnswer;
}

SessionCarrier::Place LegacyPart::find(Exchange& exchange, std::string_view client_id) {
  if (exchange.session.is_lost) return {};
  const auto record = context_.state.store.find(client_id, context_.services.worker.now());
  if (!record) return {};
  const std::uint64_t principal = principal_of(exchange.request.fields, exchange.client.tls_subject,
                                               context_.settings.binding());
  // Somebody else's is as one that has ended.
  if (record->principal != principal) return {Kind::kEnded};
  const SessionHome* home = &record->home;
  const Replica* replica = context_.services.pool->find(home->replica);
  if (replica == nullptr) return {};
  const Vitals& vitals = *replica->vitals;
  const WallSeconds died(std::chrono::seconds(vitals.last_dead_s.load(std::memory_order_relaxed)));
  if (!is_same_life(*home, died, vitals.incarnation.load(std::memory_order_relaxed))) return {};
  return {Kind::kMoved, replica, client_id};
}

void LegacyPart::note_introduction(const Exchange& exchange) {
  if (!exchange.is_request_body_whole) return;
  const auto glance = glance_at(exchange.request_body);
  if (glance && glance->method != RpcMethod::kInitialize) return;
  const RpcMessage message = read_message(exchange.request_body);
  if (message.method == RpcMethod::kInitialize)
    context_.numbers.note_client(ClientEra::kLegacy, message.client_name);
}

void LegacyPart::on_response(Exchange& exchange) {
  ResponseHead& head = *exchange.response;
  const bool is_ours = exchange.answer.status == 0 && exchange.replica != nullptr;
  if (is_ours && exchange.request.method == Method::kPost && head.status / 100 == 2)
    note_introduction(exchange);
  if (!is_ours || exchange.request.method != Method::kGet || !is_plain_stream(head) ||
      exchange.response_hook != nullptr)
    return;
  if (head.body.kind == BodyLength::Kind::kNone) return;
  // The id grows.
  head.body = {BodyLength::Kind::kUnknown, 0};
  head.fields.remove(FieldName::kContentLength);
  auto stream = std::make_unique<LegacyStream>(exchange, context_);
  exchange.response_hook = stream.get();
  exchange.keep_alive_every = context_.settings.keep_alive;
  exchange.keep_alive_bytes = kKeepAlive;
  context_.notes.leave_note(exchange, std::move(stream));
}

}  // namespace limpet::mcp
