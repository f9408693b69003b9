// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/legacy_part.h"

#include <memory>
#include <utility>

#include "daemon/http/mcp_head.h"
#include "modules/mcp/pool_state.h"
#include "modules/mcp/rpc_answer.h"

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

std::string_view LegacyStream::wrap(std::string_view original) {
  if (exchange_.sealer != nullptr) return exchange_.sealer->seal(exchange_, original);
  if (context_.settings.session_ids != SessionIds::kLearn) return {};
  const Replica& replica = *exchange_.replica;
  WorkerServices& worker = context_.services.worker;
  SessionRecord record;
  record.home = {replica.id, std::string(original), worker.wall_now(),
                 replica.vitals->incarnation.load(std::memory_order_relaxed), 0};
  static_cast<void>(context_.state.store.keep(original, std::move(record), worker.now()));
  return {};
}

Taking LegacyPart::on_request(Exchange& exchange) {
  const RequestHead& request = exchange.request;
  if (request.fields.find(FieldName::kMcpSessionId) != nullptr || era_of(request) != Era::kSession)
    return Taking::kNotMine;
  if (opens_stream(request)) return Taking::kMine;
  if (!posts_to_session(request)) return Taking::kNotMine;
  if (context_.settings.session_ids == SessionIds::kLearn) exchange.carrier = this;
  return Taking::kMine;
}

SessionCarrier::Place LegacyPart::find(Exchange& exchange, std::string_view client_id) {
  if (exchange.session.is_lost) return {};
  const auto home = context_.state.store.home_of(client_id, context_.services.worker.now());
  const Replica* replica = home ? context_.services.pool->find(home->replica) : nullptr;
  if (replica == nullptr) return {};
  const Vitals& vitals = *replica->vitals;
  const WallSeconds died(std::chrono::seconds(vitals.last_dead_s.load(std::memory_order_relaxed)));
  if (!is_same_life(*home, died, vitals.incarnation.load(std::memory_order_relaxed))) return {};
  return {Kind::kMoved, replica, client_id};
}

void LegacyPart::on_response(Exchange& exchange) {
  ResponseHead& head = *exchange.response;
  const bool is_ours = exchange.answer.status == 0 && exchange.replica != nullptr;
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
