// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/rpc_glance.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {
namespace {

// What a glance shows has to be what reading shows.
void must_agree(const std::string& body) {
  CAPTURE(body);
  const std::optional<RpcGlance> glance = glance_at(body);
  REQUIRE(glance.has_value());
  const RpcMessage message = read_message(body);
  CHECK(glance->kind == message.kind);
  CHECK(glance->method == message.method);
  CHECK(glance->name == message.name);
  CHECK(glance->id == message.id);
  const RpcAnswer answer = read_answer(body);
  const bool is_answer =
      answer.kind == RpcAnswer::Kind::kResult || answer.kind == RpcAnswer::Kind::kError;
  CHECK(is_answer == (glance->kind == RpcKind::kResponse));
  CHECK(answer.id == glance->id);
}

const std::string kArguments =
    R"({"text":"a \"quoted\" \\ text that is longer than one block, \u00e9, brackets ]}{[",)"
    R"("list":[1.5e3,-2,true,null,{"name":"inner","method":"initialize"}]})";

}  // namespace

TEST_CASE("a glance shows the call and its tool") {
  const std::string body =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":)" +
      kArguments + "}}";
  const std::optional<RpcGlance> glance = glance_at(body);
  REQUIRE(glance.has_value());
  CHECK(glance->kind == RpcKind::kRequest);
  CHECK(glance->method == RpcMethod::kCallTool);
  CHECK(glance->name == "echo");
  CHECK(glance->id == "1");
}

TEST_CASE("a glance shows what reading shows, in whatever order and with whatever space") {
  for (
      const std::string& body : std::vector<std::string>{
          R"({"method":"tools/call","params":{"arguments":{},"name":"é"},"jsonrpc":"2.0","id":"x"})",
          " \r\n\t{ \"jsonrpc\" : \"2.0\" ,\n\"id\" : 0 , \"method\" : \"ping\" } \n",
          R"({"jsonrpc":"2.0","method":"notifications/initialized"})",
          R"({"jsonrpc":"2.0","id":3,"result":{"roots":[]}})",
          R"({"jsonrpc":"2.0","id":"a","result":{},"error":{}})",
          R"({"jsonrpc":"2.0","id":{},"result":{}})",
          R"({"jsonrpc":"2.0","result":"text"})",
          R"({"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no"}})",
          R"({"jsonrpc":"2.0","id":3,"method":"logging/setLevel","params":{"level":"debug"}})",
          R"({"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"a"}})",
          R"({"jsonrpc":"2.0","id":3,"method":"resources/unsubscribe","params":{"uri":"a"}})",
          R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":7}})",
          R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{}})",
          R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":[1,"name"]})",
          R"({"jsonrpc":"2.0","id":3,"method":"custom","params":{"name":"n","x":)" + kArguments +
              "}}",
      })
    must_agree(body);
}

TEST_CASE("what is written in an unusual way is left to reading") {
  for (const std::string& body : std::vector<std::string>{
           R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])",
           R"({"jsonrpc":"2.0","id":1,"method":"logging\/setLevel"})",
           R"({"jsonrpc":"2.0","id":1,"meth\u006fd":"initialize"})",
           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\"b"}})",
           R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})",
           R"({"jsonrpc":"2.0","id":null,"method":"ping"})",
           R"({"jsonrpc":"2.0","id":12345678901234567890,"method":"ping"})",
           R"({"jsonrpc":"2.0","id":")" + std::string(kIdBytesMax, 'x') + R"(","method":"ping"})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping","a":1,"b":2,"c":3,"d":4,"e":5})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":)" + std::string(65, '[') +
               std::string(65, ']') + "}}",
       })
    CHECK_MESSAGE(!glance_at(body).has_value(), body);
}

TEST_CASE("what is malformed, or to be read in two ways, is left to reading") {
  for (const std::string& body : std::vector<std::string>{
           "",
           "  ",
           "{}",
           R"({"id":1,"method":"ping"})",
           R"({"jsonrpc":"1.0","id":1,"method":"ping"})",
           R"({"jsonrpc":"2.0","id":1})",
           R"({"jsonrpc":"2.0","id":{},"method":"ping"})",
           R"({"jsonrpc":"2.0","id":1,"method":{}})",
           R"({"jsonrpc":"2.0","id":1,"error":"text"})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"initialize"})",
           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}})",
           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"other":1,"other":2}})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":[]})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping"}})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping"} x)",
           R"({"jsonrpc":"2.0","id":01,"method":"ping"})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping",})",
           R"({"jsonrpc":"2.0","id":1,,"method":"ping"})",
           R"({"jsonrpc" "2.0","id":1,"method":"ping"})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[}]}})",
           R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[\"]}})",
           R"({"jsonrpc":"2.0","id":1,"result":{."a":1}})",
           R"({"jsonrpc":"2.0","id":1,"result":{"a":"b":[]}})",
           R"({"jsonrpc":"2.0","id":1,"result":{"a":[1,]}})",
           R"({"jsonrpc":"2.0","id":1,"result":{"a":1,}})",
           R"({"jsonrpc":"2.0","id":1,"result":{"a":[(]}})",
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\nng\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[\"\\\x80\"]}",
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":{\"b\":\"a long "
           "text that is not \xc3( valid UTF-8\"}}}",
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":[\xc3\xa9]}}",
       })
    CHECK_MESSAGE(!glance_at(body).has_value(), body);
}

TEST_CASE("a message that is cut off anywhere is left to reading") {
  const std::string body =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":)" +
      kArguments + "}}";
  for (std::size_t bytes = 0; bytes < body.size(); ++bytes)
    CHECK_FALSE(glance_at(std::string_view(body).substr(0, bytes)).has_value());
  CHECK_FALSE(glance_at(body + std::string(kMessageBytesMax, ' ')).has_value());
}

}  // namespace limpet::mcp
