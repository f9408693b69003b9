// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/rpc_message.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

TEST_CASE("a request is read with its raw id and what a session is told") {
  const RpcMessage level = read_message(
      R"( {"jsonrpc":"2.0","id":"a\"b","method":"logging\/setLevel","params":{"level":"debug"}})");
  CHECK(level.kind == RpcKind::kRequest);
  CHECK(level.method == RpcMethod::kSetLevel);
  CHECK(level.id == R"("a\"b")");
  CHECK(level.level == "debug");

  const RpcMessage subscribe = read_message(
      R"({"jsonrpc":"2.0","id":7,"method":"resources/subscribe","params":{"uri":"file:///a"}})");
  CHECK(subscribe.method == RpcMethod::kSubscribe);
  CHECK(subscribe.uri == "file:///a");
  CHECK(subscribe.id == "7");
}

TEST_CASE("initialize is read with who the client is and what it can") {
  const RpcMessage message = read_message(
      R"({"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},)"
      R"("clientInfo":{"name":"c","version":"1.2"}},"jsonrpc":"2.0","id":0})");
  CHECK(message.method == RpcMethod::kInitialize);
  CHECK(message.protocol_version == "2025-11-25");
  CHECK(message.capabilities == R"({"roots":{}})");
  CHECK(message.client_name == "c");
  CHECK(message.client_version == "1.2");
  CHECK_FALSE(message.claims_modern);
}

TEST_CASE("a modern request tells its version and its client in _meta") {
  const RpcMessage message = read_message(
      R"({"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"_meta":{)"
      R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
      R"("io.modelcontextprotocol/clientInfo":{"name":"m"}},"notifications":{"toolsListChanged":true}}})");
  CHECK(message.method == RpcMethod::kListen);
  CHECK(message.claims_modern);
  CHECK(message.protocol_version == "2026-07-28");
  CHECK(message.client_name == "m");
  CHECK(message.notifications == R"({"toolsListChanged":true})");
}

TEST_CASE("notifications, responses and batches are told apart") {
  CHECK(read_message(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").kind ==
        RpcKind::kNotification);
  const RpcMessage response = read_message(R"({"jsonrpc":"2.0","id":3,"result":{}})");
  CHECK(response.kind == RpcKind::kResponse);
  CHECK(response.id == "3");
  CHECK(read_message(R"([{"jsonrpc":"2.0","method":"ping","id":1}])").kind == RpcKind::kBatch);
}

TEST_CASE("what is no message, or two at once, is unreadable and never safe to repeat") {
  for (const std::string body :
       {"", "   ", "hello", "[]", "{}", R"({"jsonrpc":"1.0","id":1,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"})",
        R"({"jsonrpc":"2.0","id":1,"method":"ping"}{"a":1})", R"({"jsonrpc":"2.0","id":1})",
        R"({"jsonrpc":"2.0","id":{},"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}})"}) {
    CAPTURE(body);
    const RpcMessage message = read_message(body);
    CHECK(message.kind == RpcKind::kUnreadable);
    CHECK_FALSE(is_safe_to_repeat(message));
  }
  CHECK(read_message(std::string(kMessageBytesMax + 1, ' ')).kind == RpcKind::kUnreadable);
}

TEST_CASE("only what reads or sets a value is safe to repeat") {
  const auto is_safe = [](const std::string& method) {
    return is_safe_to_repeat(
        read_message(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"("})"));
  };
  for (const char* method : {"ping", "tools/list", "resources/read", "prompts/get",
                             "completion/complete", "logging/setLevel", "resources/subscribe"})
    CHECK(is_safe(method));
  for (const char* method : {"tools/call", "initialize", "tasks/cancel", "custom/list"})
    CHECK_FALSE(is_safe(method));
  CHECK_FALSE(is_safe_to_repeat(read_message(R"({"jsonrpc":"2.0","method":"ping"})")));
}

TEST_CASE("an error repeats the id as it was written") {
  CHECK(error_body("\"x\"", -32001, "Session \"a\" lost") ==
        R"({"jsonrpc":"2.0","error":{"code":-32001,"message":"Session \"a\" lost"},"id":"x"})");
  CHECK(error_body("", -32603, "m") ==
        R"({"jsonrpc":"2.0","error":{"code":-32603,"message":"m"},"id":null})");
}

}  // namespace
}  // namespace limpet::mcp
