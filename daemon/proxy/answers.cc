// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/answers.h"

#include <string>

#include "daemon/base/text.h"
#include "daemon/http/authority.h"
#include "daemon/http/date.h"
#include "daemon/http/forwarded.h"

namespace limpet {

namespace {

std::string_view number_in(Arena& arena, std::uint64_t number) {
  return arena.copy(std::to_string(number));
}

// Without its port; the colons of an IPv6 address stand in brackets (RFC 3986 section 3.2.2).
std::string_view host_of(std::string_view authority) {
  Authority parsed;
  return parse_authority(authority, parsed) ? parsed.host : authority;
}

// A body that the configuration or a module wrote, in place of the standard one.
LocalAnswer whole_answer(Arena& arena, const Answer& answer) {
  auto* head = new (arena.allocate(sizeof(ResponseHead))) ResponseHead(arena);
  head->status = answer.status;
  head->body = {answer.body.empty() ? BodyLength::Kind::kNone : BodyLength::Kind::kKnown,
                answer.body.size()};
  head->fields.add(FieldName::kContentType,
                   answer.content_type.empty() ? "text/plain; charset=utf-8" : answer.content_type);
  head->fields.add(FieldName::kContentLength, number_in(arena, answer.body.size()));
  return {head, answer.body};
}

}  // namespace

LocalAnswer make_answer(const Exchange& exchange, std::string_view date) {
  const Answer& answer = exchange.answer;
  Arena& arena = exchange.arena;
  const AnswerForm form = answer_form(exchange.request.fields);
  const bool is_grpc_error = form == AnswerForm::kGrpc && answer.status >= 400;
  const LocalAnswer made =
      answer.body.empty() || is_grpc_error
          ? make_local_answer(arena, {answer.status, form, exchange.request_id, answer.detail})
          : whole_answer(arena, answer);
  HeaderList& fields = made.head->fields;
  if (!answer.location.empty()) fields.add(FieldName::kLocation, answer.location);
  if (answer.retry_after.count() > 0) {
    fields.add(FieldName::kRetryAfter,
               number_in(arena, static_cast<std::uint64_t>(answer.retry_after.count())));
  }
  fields.add(FieldName::kDate, date);
  return made;
}

std::string_view redirect_location(Arena& arena, std::string_view to, const RequestHead& request) {
  std::string made;
  for (std::size_t at = 0; at < to.size();) {
    const std::string_view rest = to.substr(at);
    const auto put = [&](std::string_view name, std::string_view value) {
      if (!rest.starts_with(name)) return false;
      made += value;
      at += name.size();
      return true;
    };
    const std::string query = request.query.empty() ? "" : "?" + std::string(request.query);
    if (put("{host}", host_of(request.authority)) || put("{path}", request.path) ||
        put("{query}", query))
      continue;
    made += to[at++];
  }
  return arena.copy(made);
}

bool is_event_stream(const ResponseHead& head) noexcept {
  return text::starts_with_ignoring_case(head.fields.value(FieldName::kContentType),
                                         "text/event-stream");
}

}  // namespace limpet
