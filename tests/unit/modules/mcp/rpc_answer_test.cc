// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/rpc_answer.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

TEST_CASE("results and errors are told apart") {
  const RpcAnswer result = read_answer(R"({"jsonrpc":"2.0","id":1,"result":{"a":1}})");
  CHECK(result.kind == RpcAnswer::Kind::kResult);
  CHECK(result.result == R"({"a":1})");
  CHECK(result.id == "1");

  const RpcAnswer error = read_answer(
      R"({"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found","data":[1]}})");
  CHECK(error.kind == RpcAnswer::Kind::kError);
  CHECK_FALSE(error.has_id);
  CHECK(error.code == -32001);
  CHECK(error.message == "Session not found");
  CHECK(error.data == "[1]");

  CHECK(read_answer(R"({"jsonrpc":"2.0","method":"ping","id":1})").kind == RpcAnswer::Kind::kOther);
  CHECK(read_answer("Session not found").kind == RpcAnswer::Kind::kNone);
}

TEST_CASE("the form is the media type's, parameters aside") {
  CHECK(form_of("application/json; charset=utf-8") == BodyForm::kJson);
  CHECK(form_of("Text/Event-Stream") == BodyForm::kEvents);
  CHECK(form_of("text/html") == BodyForm::kOther);
  CHECK(form_of("") == BodyForm::kOther);
}

TEST_CASE("JSON is found in a body and in the first event that has data") {
  std::string holder;
  CHECK(json_in(BodyForm::kJson, "{}", holder) == "{}");
  CHECK(json_in(BodyForm::kOther, "{}", holder).empty());
  CHECK(json_in(BodyForm::kEvents, "id: 1\ndata:\n\nevent: message\ndata: {\"a\":\ndata: 1}\n\n",
                holder) == "{\"a\":\n1}");
  CHECK(json_in(BodyForm::kEvents, ": nothing\n\n", holder).empty());
}

}  // namespace
}  // namespace limpet::mcp
