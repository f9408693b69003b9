// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/ping_prelude.h"

#include <algorithm>
#include <utility>

#include "modules/mcp/handshake.h"

namespace limpet::mcp {

std::optional<Prelude::Result> PingPrelude::begin(Exchange& exchange, Host& host) {
  host_ = &host;
  if (desk_.worker.calls() == nullptr) return Result::kGoOn;
  CallRequest request;
  request.pool = &desk_.pool;
  request.replica = exchange.replica;
  if (desk_.pool.forwards_client_host) request.authority = exchange.request.authority;
  request.target = exchange.request.target;
  request.fields =
      fields_for_session(exchange.request.fields, exchange.session.original_id,
                         exchange.request.fields.value(FieldName::kMcpProtocolVersion));
  request.fields.emplace_back("content-type", "application/json");
  request.body = ping_body();
  request.head_within = kAnswerWithin;
  request.silence_max = kAnswerWithin;
  call_ = desk_.worker.calls()->call(std::move(request), *this);
  return std::nullopt;
}

void PingPrelude::on_call_head(const ResponseHead& head) {
  status_ = head.status;
  content_type_ = head.fields.value(FieldName::kContentType);
}

void PingPrelude::on_call_body(std::string_view bytes) {
  body_ += bytes.substr(0, kLostBodyBytes - std::min(kLostBodyBytes, body_.size()));
  const bool is_event = form_of(content_type_) == BodyForm::kEvents;
  // A stream may stay open behind its first event.
  if (body_.size() >= kLostBodyBytes || (is_event && body_.find("data:") != std::string::npos &&
                                         body_.find("\n\n") != std::string::npos))
    over(Whole::kNo);
}

// A replica that is gone has lost its sessions; one that is slow has said nothing.
void PingPrelude::on_call_failed(FailureCause cause) {
  call_.reset();
  if (cause == FailureCause::kConnectRefused) verdict_ = Loss::kLost;
  host_->on_prelude_over(Result::kGoOn);
}

DoubtEnd PingPrelude::on_silence() const {
  if (status_ == 0) return DoubtEnd::kSilent;
  const AskedOfSession asked{.method = Method::kPost, .has_session_id = true};
  const Loss loss = judge_answer(asked, {status_, content_type_, body_, is_whole_});
  return loss == Loss::kLost ? DoubtEnd::kLost : DoubtEnd::kAlive;
}

void PingPrelude::over(Whole whole) {
  call_.reset();
  is_whole_ = whole == Whole::kYes;
  verdict_ = judge_ping({status_, content_type_, body_, whole == Whole::kYes});
  host_->on_prelude_over(Result::kGoOn);
}

}  // namespace limpet::mcp
