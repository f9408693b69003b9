// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

TEST_CASE("a created task is found in either form of result") {
  CHECK(created_task(R"({"task":{"taskId":"t1"}})") == "t1");
  CHECK(created_task(R"({"resultType":"task","taskId":"t2"})") == "t2");
  CHECK(created_task(R"({"resultType":"complete","taskId":"t2"})").empty());
  CHECK(created_task("3").empty());
}

TEST_CASE("the answer to the probe tells whether a replica is modern") {
  const char* json = "application/json";
  CHECK(
      speaks_modern(200, json,
                    R"({"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"]}})") ==
      Speaks::kYes);
  CHECK(speaks_modern(200, "text/event-stream",
                      "data: "
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"supportedVersions\":[\"2026-07-"
                      "28\"]}}\n\n") == Speaks::kYes);
  CHECK(
      speaks_modern(
          400, json,
          R"({"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"m","data":{"supported":["2027-01-01"]}}})") ==
      Speaks::kYes);
  CHECK(speaks_modern(400, json,
                      R"({"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header"}})") ==
        Speaks::kYes);
  CHECK(
      speaks_modern(
          400, json,
          R"({"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Server not initialized"}})") ==
      Speaks::kNo);
  CHECK(speaks_modern(404, "text/plain", "not here") == Speaks::kNo);
  CHECK(speaks_modern(401, json, "") == Speaks::kUnknown);
  CHECK(speaks_modern(503, json, "") == Speaks::kUnknown);
}

TEST_CASE("the answer to initialize tells whether a replica has sessions") {
  const char* json = "application/json";
  CHECK(speaks_sessions(200, json, R"({"jsonrpc":"2.0","id":0,"result":{}})") == Speaks::kYes);
  CHECK(speaks_sessions(400, json,
                        R"({"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"m"}})") ==
        Speaks::kNo);
  CHECK(speaks_sessions(400, json,
                        R"({"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"m"}})") ==
        Speaks::kUnknown);
}

TEST_CASE("a modern request says which program sends it, or does not") {
  CHECK(client_name_in(discover_body()) == "limpet");
  CHECK(client_name_in(R"({"params":{"_meta":{}}})").empty());
  CHECK(client_name_in(R"({"params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":7}}}})")
            .empty());
  CHECK(client_name_in("nonsense").empty());
}

}  // namespace
}  // namespace limpet::mcp
