// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/rpc_error.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

std::string id_in_answer(std::string_view request) {
  Arena arena;
  const std::string_view body = affinity::session_not_found(arena, request);
  const std::string_view before =
      R"({"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":)";
  REQUIRE(body.starts_with(before));
  REQUIRE(body.ends_with("}"));
  return std::string(body.substr(before.size(), body.size() - before.size() - 1));
}

}  // namespace

TEST_CASE("a lost session's answer repeats the request's own id, as it was written") {
  CHECK(id_in_answer(R"({"jsonrpc":"2.0","id":7,"method":"tools/call"})") == "7");
  CHECK(id_in_answer(R"({"method":"ping" , "id" : "a\"b" })") == R"("a\"b")");
  CHECK(id_in_answer(R"({"id":12345678901234567890123,"method":"x"})") ==
        "12345678901234567890123");
  CHECK(id_in_answer(R"({"params":{"id":3},"id":-4})") == "-4");
}

TEST_CASE("what is not one request with an id gets null") {
  for (const char* body :
       {"", "[]", R"([{"id":1}])", R"({"id":null})", R"({"id":{}})", R"({"id":tru)", "garbage",
        R"({"id":"unfinished)", R"({"method":"x"})"}) {
    CAPTURE(body);
    CHECK(id_in_answer(body) == "null");
  }
}

TEST_CASE("an id that is longer than any sane one is not repeated") {
  CHECK(id_in_answer("{\"id\":\"" + std::string(5000, 'a') + "\"}") == "null");
}
