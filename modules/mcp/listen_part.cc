// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/listen_part.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/http/mcp_head.h"
#include "modules/mcp/pool_state.h"
#include "modules/mcp/rpc_answer.h"
#include "modules/mcp/rpc_message.h"

namespace limpet::mcp {

ListenPart::ListenPart(const PartContext& context)
    : context_(context),
      eras_(context.state.eras, *context.services.pool,
            context.settings.probes_eras ? EraFilter::Asking::kOn : EraFilter::Asking::kOff),
      replicas_mark_(mark_of_replicas(*context.services.pool)) {
  context_.state.eras.set_replicas_mark(replicas_mark_);
}

Taking ListenPart::on_request(Exchange& exchange) {
  RequestHead& request = exchange.request;
  if (request.method != Method::kPost || era_of(request) != Era::kModern ||
      text::trim(request.fields.value(FieldName::kMcpMethod)) != "subscriptions/listen")
    return Taking::kNotMine;
  context_.state.eras.note_modern(context_.services.worker.now());
  exchange.body_wanted_bytes = kRequestBytesMax;
  // What is compressed cannot be put together.
  request.fields.remove("accept-encoding");
  return Taking::kMine;
}

Verdict ListenPart::on_select(Exchange&, Candidates& candidates) {
  eras_.narrow(candidates, Era::kModern);
  return Verdict::kNext;
}

void ListenPart::on_response(Exchange& exchange) {
  ResponseHead& head = *exchange.response;
  const bool is_stream = exchange.answer.status == 0 && exchange.replica != nullptr &&
                         head.status == 200 &&
                         form_of(head.fields.value(FieldName::kContentType)) == BodyForm::kEvents &&
                         head.fields.find("content-encoding") == nullptr;
  if (!is_stream || exchange.response_hook != nullptr || !exchange.is_request_body_whole) return;
  const RpcMessage message = read_message(exchange.request_body);
  if (message.kind != RpcKind::kRequest || message.id.empty()) return;
  head.body = {BodyLength::Kind::kUnknown, 0};
  head.fields.remove(FieldName::kContentLength);
  ListenFans& fans = *this;
  auto fan = std::make_unique<ListenFan>(fans, exchange, context_, eras_, message.id);
  fans_.push_back(fan.get());
  fan->begin();
  exchange.response_hook = fan.get();
  exchange.keep_alive_every = context_.settings.keep_alive;
  exchange.keep_alive_bytes = kKeepAlive;
  context_.notes.leave_note(exchange, std::move(fan));
}

// Each may end itself, and the list with it changes.
void ListenPart::on_tick(Instant now) {
  const bool is_outdated = context_.state.eras.replicas_mark() != replicas_mark_;
  const std::vector<ListenFan*> fans = fans_;
  for (ListenFan* fan : fans) {
    if (std::find(fans_.begin(), fans_.end(), fan) == fans_.end()) continue;
    if (is_outdated)
      fan->end_in_order();
    else
      fan->on_tick(now);
  }
}

void ListenPart::on_fan_over(const ListenFan& fan) noexcept { std::erase(fans_, &fan); }

}  // namespace limpet::mcp
