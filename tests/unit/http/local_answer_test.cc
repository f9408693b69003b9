// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/local_answer.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;

namespace {

[[nodiscard]] AnswerForm form_for(std::initializer_list<const char*> accepts) {
  Arena arena;
  HeaderList fields(arena);
  for (const char* accept : accepts)
    fields.add_copy("accept", accept);
  return answer_form(fields);
}

}  // namespace

TEST_CASE("local answer: JSON goes to those who name it") {
  CHECK(form_for({"application/json"}) == AnswerForm::kJson);
  CHECK(form_for({"text/html, Application/JSON;q=0.5"}) == AnswerForm::kJson);
  CHECK(form_for({"application/problem+json"}) == AnswerForm::kJson);
  CHECK(form_for({"text/event-stream", "application/json"}) == AnswerForm::kJson);
  CHECK(form_for({}) == AnswerForm::kPlain);
  CHECK(form_for({"*/*"}) == AnswerForm::kPlain);
  CHECK(form_for({"application/*"}) == AnswerForm::kPlain);
  CHECK(form_for({"application/json;q=0"}) == AnswerForm::kPlain);
  CHECK(form_for({"application/json ; charset=utf-8; Q=0.000"}) == AnswerForm::kPlain);
  CHECK(form_for({"application/jsonp, text/plain"}) == AnswerForm::kPlain);
}

TEST_CASE("local answer: a plain line with its fields") {
  Arena arena;
  const LocalAnswer answer = make_local_answer(
      arena, {502, AnswerForm::kPlain, "r-1", "the replica closed the connection"});
  CHECK(answer.body == "502 Bad Gateway: the replica closed the connection (request r-1)\n");
  CHECK(answer.head->status == 502);
  CHECK(answer.head->body.bytes == answer.body.size());
  CHECK(fields_text(answer.head->fields) ==
        "cache-control=no-store|content-type=text/plain; charset=utf-8|content-length=65");
  CHECK(make_local_answer(arena, {404, AnswerForm::kPlain, "", ""}).body == "404 Not Found\n");
}

TEST_CASE("local answer: JSON with everything escaped") {
  Arena arena;
  const LocalAnswer answer =
      make_local_answer(arena, {400, AnswerForm::kJson, "\"\n", "a \\ b \xff"});
  CHECK(answer.body ==
        "{\"error\":{\"status\":400,\"reason\":\"Bad Request\",\"request_id\":\"\\\"\\u000a\","
        "\"detail\":\"a \\\\ b \\u00ff\"}}\n");
  CHECK(answer.head->fields.value(FieldName::kContentType) == "application/json");
  CHECK(answer.head->fields.value(FieldName::kContentLength) == std::to_string(answer.body.size()));
  CHECK(make_local_answer(arena, {503, AnswerForm::kJson, "", ""}).body ==
        "{\"error\":{\"status\":503,\"reason\":\"Service Unavailable\"}}\n");
}

TEST_CASE("local answer: a status without a body has none") {
  Arena arena;
  const LocalAnswer answer = make_local_answer(arena, {204, AnswerForm::kJson, "x", "y"});
  CHECK(answer.body.empty());
  CHECK(fields_text(answer.head->fields) == "cache-control=no-store");
  CHECK(answer.head->body.kind == BodyLength::Kind::kNone);
}

TEST_CASE("local answer: a gRPC call is answered in its own way") {
  Arena arena;
  HeaderList fields(arena);
  fields.add_copy("content-type", "application/grpc+proto");
  fields.add_copy("accept", "application/json");
  CHECK(answer_form(fields) == AnswerForm::kGrpc);

  const LocalAnswer answer =
      make_local_answer(arena, {503, AnswerForm::kGrpc, "r-1", "100% are \xc3\xa9teints"});
  CHECK(answer.head->status == 200);
  CHECK(answer.body.empty());
  CHECK(answer.head->body.kind == BodyLength::Kind::kNone);
  CHECK(fields_text(answer.head->fields) ==
        "content-type=application/grpc|grpc-status=14|"
        "grpc-message=Service Unavailable: 100%25 are %C3%A9teints (request r-1)");
  CHECK(fields_text(make_local_answer(arena, {404, AnswerForm::kGrpc, "", ""}).head->fields) ==
        "content-type=application/grpc|grpc-status=12|grpc-message=Not Found");
}

TEST_CASE("local answer: what is no error is not dressed up as one of gRPC") {
  Arena arena;
  const LocalAnswer answer = make_local_answer(arena, {308, AnswerForm::kGrpc, "", ""});
  CHECK(answer.head->status == 308);
  CHECK(answer.head->fields.find("grpc-status") == nullptr);
}
