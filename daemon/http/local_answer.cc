// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/local_answer.h"

#include <string>

#include "daemon/base/text.h"
#include "daemon/http/framing.h"
#include "daemon/http/grpc.h"
#include "daemon/http/status.h"

namespace limpet {

namespace {

// Whether the parameters of a media range hold q=0, in any spelling ("q=0", "Q=0.000").
[[nodiscard]] bool is_refused(std::string_view parameters) noexcept {
  while (!parameters.empty()) {
    std::string_view value = text::trim(text::cut(parameters, ';'));
    const std::string_view name = text::trim(text::cut(value, '='));
    if (!text::equals_ignoring_case(name, "q")) continue;
    return text::trim(value).find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

[[nodiscard]] bool is_json(std::string_view type) noexcept {
  constexpr std::string_view kSuffix = "+json";
  return text::equals_ignoring_case(type, "application/json") ||
         (type.size() > kSuffix.size() &&
          text::equals_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix));
}

void append_member(std::string& json, std::string_view name, std::string_view value) {
  json += ",\"";
  json += name;
  json += "\":\"";
  text::append_escaped(json, value);
  json += '"';
}

[[nodiscard]] std::string json_body(const LocalAnswerFacts& facts, std::string_view reason) {
  std::string body = "{\"error\":{\"status\":" + std::to_string(facts.status);
  append_member(body, "reason", reason);
  if (!facts.request_id.empty()) append_member(body, "request_id", facts.request_id);
  if (!facts.detail.empty()) append_member(body, "detail", facts.detail);
  body += "}}\n";
  return body;
}

[[nodiscard]] std::string plain_body(const LocalAnswerFacts& facts, std::string_view reason) {
  std::string body = std::to_string(facts.status);
  if (!reason.empty()) {
    body += ' ';
    body += reason;
  }
  if (!facts.detail.empty()) {
    body += ": ";
    text::append_escaped(body, facts.detail);
  }
  if (!facts.request_id.empty()) {
    body += " (request ";
    text::append_escaped(body, facts.request_id);
    body += ')';
  }
  body += '\n';
  return body;
}

// Trailers-Only of gRPC over HTTP/2: everything in the head, which ends the stream.
[[nodiscard]] LocalAnswer grpc_answer(Arena& arena, const LocalAnswerFacts& facts) {
  std::string message;
  append_grpc_message(message, reason_phrase(facts.status));
  if (!facts.detail.empty()) {
    message += message.empty() ? "" : ": ";
    append_grpc_message(message, facts.detail);
  }
  if (!facts.request_id.empty()) {
    message += " (request ";
    append_grpc_message(message, facts.request_id);
    message += ')';
  }
  const auto code = static_cast<unsigned>(grpc_status_for(facts.status));
  LocalAnswer answer;
  answer.head = arena.make<ResponseHead>(arena);
  ResponseHead& head = *answer.head;
  head.status = 200;
  head.reason = reason_phrase(head.status);
  head.fields.add(FieldName::kContentType, "application/grpc");
  head.fields.add(FieldName::kOther, "grpc-status", arena.copy(std::to_string(code)));
  head.fields.add(FieldName::kOther, "grpc-message", arena.copy(message));
  return answer;
}

}  // namespace

AnswerForm answer_form(const HeaderList& request_fields) noexcept {
  if (is_grpc(request_fields.value(FieldName::kContentType))) return AnswerForm::kGrpc;
  if (!request_fields.may_have(FieldName::kAccept)) return AnswerForm::kPlain;
  for (const Field& field : request_fields.fields()) {
    if (field.id != FieldName::kAccept || field.is_removed()) continue;
    std::string_view rest = field.value();
    while (!rest.empty()) {
      std::string_view range = text::cut(rest, ',');
      const std::string_view type = text::trim(text::cut(range, ';'));
      if (is_json(type) && !is_refused(range)) return AnswerForm::kJson;
    }
  }
  return AnswerForm::kPlain;
}

LocalAnswer make_local_answer(Arena& arena, const LocalAnswerFacts& facts) {
  if (facts.form == AnswerForm::kGrpc && facts.status >= 400) return grpc_answer(arena, facts);
  LocalAnswer answer;
  answer.head = arena.make<ResponseHead>(arena);
  ResponseHead& head = *answer.head;
  head.status = facts.status;
  head.reason = reason_phrase(facts.status);
  // A 404 or 501 of ours must not be kept by a cache as if a replica had said it (RFC 9110
  // section 15.1).
  head.fields.add(FieldName::kCacheControl, "no-store");
  if (is_bodiless(facts.status)) return answer;
  // An acceptance says nothing more.
  if (facts.status == 202) {
    head.fields.add(FieldName::kContentLength, "0");
    return answer;
  }
  const bool is_json_form = facts.form == AnswerForm::kJson;
  answer.body =
      arena.copy(is_json_form ? json_body(facts, head.reason) : plain_body(facts, head.reason));
  head.fields.add(FieldName::kContentType,
                  is_json_form ? "application/json" : "text/plain; charset=utf-8");
  head.fields.add(FieldName::kContentLength, arena.copy(std::to_string(answer.body.size())));
  head.body = {BodyLength::Kind::kKnown, answer.body.size()};
  return answer;
}

}  // namespace limpet
