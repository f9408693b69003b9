// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/lost_session.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kEvents = "text/event-stream";

Loss judged(std::uint16_t status, std::string_view type, std::string_view body,
            Method method = Method::kPost) {
  return judge_answer({method, true, RpcMethod::kOther}, {status, type, body, true});
}

std::string error(const std::string& id, int code, const std::string& message) {
  return R"({"jsonrpc":"2.0","error":{"code":)" + std::to_string(code) + R"(,"message":")" +
         message + R"("})" + (id.empty() ? "" : ",\"id\":" + id) + "}";
}

TEST_CASE("every way in which a server says that it does not know the session is lost") {
  struct Row {
    const char* who;
    std::uint16_t status;
    const char* type;
    std::string body;
  };
  const Row rows[] = {
      {"server-everything", 400, kJson,
       error("", -32000, "Bad Request: No valid session ID provided")},
      {"SDK fixture", 404, kJson, error("null", -32001, "Session not found")},
      {"fixture GET", 400, kText, "Invalid or missing session ID"},
      {"plain text 404", 404, kText, "Session not found"},
      {"bare 404", 404, "", ""},
      {"python", 404, kJson, error("\"server-error\"", -32600, "Session not found")},
      {"not initialized", 400, kJson, error("null", -32000, "Bad Request: Server not initialized")},
      {"503", 503, kText, "no such session"},
      {"200 with an error", 200, kJson, error("null", -32600, "Session expired")},
      {"200 in a stream", 200, kEvents,
       "event: message\ndata: " + error("null", -32001, "Session not found") + "\n\n"},
      {"410", 410, kText, "Gone"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.who);
    CHECK(judged(row.status, row.type, row.body) == Loss::kLost);
  }
}

TEST_CASE("an honest answer is none of a lost session") {
  CHECK(judged(400, kJson, error("1", -32602, "Invalid params: name")) == Loss::kNotLost);
  CHECK(judged(400, kJson, error("null", -32700, "Parse error")) == Loss::kNotLost);
  CHECK(judged(400, kJson, error("1", -32600, "Invalid Request: Server already initialized")) ==
        Loss::kNotLost);
  CHECK(judged(400, kJson, error("null", -32000, "Bad Request: Unsupported protocol version")) ==
        Loss::kNotLost);
  CHECK(judged(401, kText, "no valid session") == Loss::kNotLost);
  CHECK(judged(403, kText, "session of another user") == Loss::kNotLost);
  CHECK(judged(405, kText, "") == Loss::kNotLost);
  CHECK(judged(409, kJson,
               error("null", -32000, "Conflict: Only one SSE stream is allowed per session")) ==
        Loss::kNotLost);
  CHECK(judged(404, kJson, error("1", -32601, "Method not found")) == Loss::kNotLost);
  CHECK(judged(503, kText, "overloaded") == Loss::kNotLost);
  CHECK(judged(200, kJson, R"({"jsonrpc":"2.0","id":1,"result":{"text":"Session not found"}})") ==
        Loss::kNotLost);
  CHECK(judged(200, kJson, error("1", -32001, "Request timed out")) == Loss::kNotLost);
  CHECK(judged(202, "", "") == Loss::kNotLost);
  CHECK(judged(200, kEvents, "data: session not found\n\n", Method::kGet) == Loss::kNotLost);
}

TEST_CASE("what may be either is doubtful") {
  CHECK(judged(400, kJson, error("1", -32000, "Bad Request")) == Loss::kDoubtful);
  CHECK(judged(400, kText, "bad request") == Loss::kDoubtful);
  CHECK(judged(400, kJson, error("1", -32602, "Invalid params: session name is missing")) ==
        Loss::kDoubtful);
  CHECK(judged(200, kJson, error("1", -32000, "browser session not found")) == Loss::kDoubtful);
  CHECK(judged(500, kText, "unknown session") == Loss::kDoubtful);
}

TEST_CASE("without a session id, and for initialize, nothing can be lost") {
  const SessionAnswer answer{404, kJson, "", true};
  CHECK(judge_answer({Method::kPost, false, RpcMethod::kOther}, answer) == Loss::kNotLost);
  CHECK(judge_answer({Method::kPost, true, RpcMethod::kInitialize}, answer) == Loss::kNotLost);
}

TEST_CASE("a ping settles a doubt") {
  CHECK(judge_ping({200, kJson, R"({"jsonrpc":"2.0","id":1,"result":{}})", true}) ==
        Loss::kNotLost);
  const std::string unknown_method = error("1", -32601, "Method not found");
  CHECK(judge_ping({200, kJson, unknown_method, true}) == Loss::kNotLost);
  CHECK(judge_ping({404, kJson, unknown_method, true}) == Loss::kNotLost);
  CHECK(judge_ping({400, kText, "bad request", true}) == Loss::kLost);
  CHECK(judge_ping({404, kText, "", true}) == Loss::kLost);
  CHECK(judge_ping({401, kText, "", true}) == Loss::kNotLost);
  CHECK(judge_ping({502, kText, "", true}) == Loss::kNotLost);
}

std::size_t wanted(const AskedOfSession& asked, std::uint16_t status, std::string_view type,
                   std::uint64_t bytes) {
  Arena arena;
  ResponseHead head(arena);
  head.status = status;
  head.body = {BodyLength::Kind::kKnown, bytes};
  head.fields.add_copy("content-type", type);
  return bytes_to_judge(asked, head);
}

TEST_CASE("a plain answer is not looked into, and a stream is not waited for") {
  const AskedOfSession asked{Method::kPost, true, RpcMethod::kOther};
  CHECK(wanted(asked, 202, "", 0) == 0);
  CHECK(wanted(asked, 200, kJson, 100'000) == 0);
  CHECK(wanted(asked, 200, kEvents, 100) == 0);
  CHECK(wanted(asked, 200, kJson, 100) == kLostBodyBytes);
  CHECK(wanted(asked, 400, kText, 100'000) == kLostBodyBytes);
  CHECK(wanted({Method::kGet, true, RpcMethod::kOther}, 200, kJson, 10) == 0);
  CHECK(wanted({Method::kPost, false, RpcMethod::kOther}, 404, kJson, 10) == 0);
  CHECK(wanted({Method::kPost, true, RpcMethod::kInitialize}, 404, kJson, 10) == 0);
}

TEST_CASE("a body that is cut is not read as JSON") {
  const std::string whole = error("1", -32602, "Invalid params");
  CHECK(judge_answer({Method::kPost, true, RpcMethod::kOther},
                     {400, kJson, whole.substr(0, 20), false}) == Loss::kDoubtful);
}

}  // namespace
}  // namespace limpet::mcp
