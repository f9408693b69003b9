// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern_part.h"

#include <memory>
#include <optional>
#include <string>

#include "daemon/base/text.h"
#include "daemon/http/mcp_head.h"
#include "modules/mcp/modern_tasks.h"
#include "modules/mcp/pool_state.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

namespace {

// Whether a request can be the one that opens a session, by its head: the only one that has no
// session id where there are sessions.
bool may_open_session(const RequestHead& request) noexcept {
  if (request.method != Method::kPost || era_of(request) != Era::kSession) return false;
  if (request.fields.find(FieldName::kMcpSessionId) != nullptr) return false;
  const std::string_view accept = request.fields.value(FieldName::kAccept);
  return accept.find("text/event-stream") != std::string_view::npos &&
         accept.find("application/json") != std::string_view::npos;
}

bool is_from_replica(const Exchange& exchange) noexcept {
  return exchange.answer.status == 0 && exchange.replica != nullptr && exchange.response != nullptr;
}

// Where its task is, a replica that is being drained still answers; nobody else can.
bool is_reachable(const Candidates& candidates, const Replica& replica) noexcept {
  const Standing standing = candidates.standing(replica);
  return standing == Standing::kReady || standing == Standing::kDraining ||
         standing == Standing::kUnproven;
}

std::string_view method_of(const RequestHead& request) noexcept {
  return text::trim(request.fields.value(FieldName::kMcpMethod));
}

}  // namespace

ModernPart::ModernPart(const PartContext& context)
    : context_(context),
      eras_(context.state.eras, *context.services.pool,
            context.settings.probes_eras ? EraFilter::Asking::kOn : EraFilter::Asking::kOff),
      prober_(context_, context.state.eras, eras_) {}

Taking ModernPart::on_request(Exchange& exchange) {
  if (exchange.request.method != Method::kPost || era_of(exchange.request) != Era::kModern)
    return Taking::kNotMine;
  context_.state.eras.note_modern(context_.services.worker.now());
  // The one request with which clients begin.
  if (method_of(exchange.request) == "server/discover" &&
      exchange.request.body.kind == BodyLength::Kind::kKnown &&
      exchange.request.body.bytes <= kIntroductionBytesMax)
    exchange.body_wanted_bytes = kIntroductionBytesMax;
  return Taking::kMine;
}

Verdict ModernPart::on_select(Exchange& exchange, Candidates& candidates) {
  eras_.narrow(candidates, Era::kModern);
  const std::optional<std::string> task = task_of(exchange.request);
  if (!task) return Verdict::kNext;
  const std::optional<SessionHome> home =
      context_.state.tasks.home_of(*task, context_.services.worker.now());
  const Replica* replica = home ? candidates.pool().find(home->replica) : nullptr;
  if (replica == nullptr) return Verdict::kNext;
  const Vitals& vitals = *replica->vitals;
  const WallSeconds died(std::chrono::seconds(vitals.last_dead_s.load(std::memory_order_relaxed)));
  exchange.affinity.source = "task";
  // The task is gone with its replica; another one says so by itself.
  if (!is_same_life(*home, died, vitals.incarnation.load(std::memory_order_relaxed)) ||
      !is_reachable(candidates, *replica)) {
    exchange.affinity.outcome = Outcome::kMoved;
    exchange.affinity.cause = Cause::kGone;
    return Verdict::kNext;
  }
  exchange.affinity.outcome = Outcome::kHit;
  exchange.affinity.cause = Cause::kNone;
  candidates.choose(*replica);
  return Verdict::kSettled;
}

void ModernPart::on_response(Exchange& exchange) {
  if (!is_from_replica(exchange)) return;
  prober_.note_endpoint(exchange);
  const ResponseHead& head = *exchange.response;
  const BodyForm form = form_of(head.fields.value(FieldName::kContentType));
  const bool is_readable =
      form != BodyForm::kOther && head.fields.find("content-encoding") == nullptr;
  if (!is_readable || exchange.response_hook != nullptr) return;
  const bool is_call = method_of(exchange.request) == "tools/call";
  if (form == BodyForm::kEvents || (is_call && head.status == 200)) {
    auto scan = std::make_unique<TaskScan>(
        exchange, context_.state.tasks, context_.services.worker, context_.numbers,
        form == BodyForm::kEvents ? TaskScan::Form::kEvents : TaskScan::Form::kJson);
    exchange.response_hook = scan.get();
    context_.notes.leave_note(exchange, std::move(scan));
    if (form == BodyForm::kEvents) {
      exchange.keep_alive_every = context_.settings.keep_alive;
      exchange.keep_alive_bytes = kKeepAlive;
    }
    return;
  }
  EraEar::listen(exchange, eras_.at(exchange.replica->index), Era::kModern);
}

void ModernPart::on_foreign_select(Exchange& exchange, Candidates& candidates) {
  if (may_open_session(exchange.request)) eras_.narrow(candidates, Era::kSession);
}

void ModernPart::on_foreign_response(Exchange& exchange) {
  if (!is_from_replica(exchange) || !may_open_session(exchange.request)) return;
  prober_.note_endpoint(exchange);
  ReplicaEras& eras = eras_.at(exchange.replica->index);
  if (exchange.status == 200 && exchange.response->fields.find(FieldName::kMcpSessionId) != nullptr)
    eras.learn(Era::kSession, Speaks::kYes);
  else
    EraEar::listen(exchange, eras, Era::kSession);
}

void ModernPart::on_done(const Exchange& exchange) noexcept {
  if (exchange.status != 200 || exchange.times.done == kNever) return;
  const std::string_view method = method_of(exchange.request);
  if (method == "tools/call") {
    const auto tool = decoded_value(exchange.request.fields.value(FieldName::kMcpName));
    context_.numbers.note_tool_call(tool.value_or(std::string()),
                                    exchange.times.done - exchange.times.started);
  } else if (method == "server/discover" && exchange.is_request_body_whole) {
    context_.numbers.note_client(ClientEra::kModern, client_name_in(exchange.request_body));
  }
}

void ModernPart::on_tick(Instant now) {
  if (context_.settings.probes_eras) prober_.on_tick(now);
}

}  // namespace limpet::mcp
