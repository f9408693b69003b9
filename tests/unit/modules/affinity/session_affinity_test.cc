// SPDX-License-Identifier: Apache-2.0
// Affinity by Mcp-Session-Id: wrapped on every response, unwrapped on every request, refused where
// it does not verify.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "modules/affinity/token.h"
#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using std::chrono::seconds;
using test::AffinityRig;
using test::TestExchange;

constexpr std::string_view kUuid = "1868a90c-3f5b-4c1e-9a52-0d6f4f4a7c11";
// What the preset "mcp" says.
constexpr std::string_view kMcp = R"(
from = ["mcp", "cookie"]
incarnation = "strict"
on_gone = "carry-over else refuse:404"
on_down = "wait:1s then carry-over else refuse:404"
on_invalid = "refuse:404"
)";

class McpRig : public AffinityRig {
 public:
  explicit McpRig(std::vector<std::string> ids = {"a", "b", "c"})
      : AffinityRig(kMcp, std::move(ids)) {}

  std::unique_ptr<TestExchange> post(std::string_view session, std::string_view pick = "a",
                                     std::string_view method = "POST") {
    auto exchange = request();
    exchange->method(method).target("/mcp").header("accept", "application/json, text/event-stream");
    if (!session.empty()) exchange->header("mcp-session-id", session);
    select(*exchange, pick);
    return exchange;
  }
  /// The id that a client gets for a session that replica `pick` makes.
  std::string open_session(std::string_view pick, std::string_view original = kUuid) {
    const auto exchange = post({}, pick);
    exchange->respond(200).response_header("mcp-session-id", original);
    finish(*exchange);
    return exchange->response_value("mcp-session-id");
  }
};

TEST_CASE(
    "the id of a new session is wrapped: token, a dash, the original; short and of a plain "
    "alphabet") {
  McpRig rig;
  const auto exchange = rig.post({}, "b");
  CHECK(rig.rig.verdict() == Verdict::kNext);  // initialize is placed by balance
  exchange->respond(200).response_header("mcp-session-id", kUuid);
  rig.finish(*exchange);
  const std::string id = exchange->response_value("mcp-session-id");
  CHECK(id.ends_with("-" + std::string(kUuid)));
  CHECK(id.size() == kTokenLetters + 1 + kUuid.size());
  CHECK(id.size() <= 128);
  CHECK(id.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") ==
        std::string::npos);
  CHECK((*exchange)->affinity.outcome == Outcome::kNew);
  CHECK(exchange->response_values("set-cookie").empty());
}

TEST_CASE("POST, GET and DELETE with the id meet the owner, who sees its own id") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  for (const std::string_view method : {"POST", "GET", "DELETE"}) {
    McpRig other({"c", "b", "a"});  // another instance with the same keys
    const auto exchange = other.post(id, "a", method);
    CHECK((*exchange)->replica->id == "b");
    CHECK((*exchange)->affinity.outcome == Outcome::kHit);
    CHECK((*exchange)->affinity.source == "mcp");
    CHECK(exchange->request_value("mcp-session-id") == kUuid);
  }
}

TEST_CASE("every response shows the client the one id that it knows") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  for (int i = 0; i < 3; ++i) {
    rig.rig.advance(seconds(7200));
    const auto exchange = rig.post(id);
    exchange->respond(200).response_header("mcp-session-id", kUuid);
    rig.finish(*exchange);
    CHECK(exchange->response_value("mcp-session-id") == id);
  }
}

TEST_CASE("a response without an id stays without, and pins nothing") {
  McpRig rig;
  const auto exchange = rig.post({}, "b");
  rig.finish(*exchange);
  CHECK(exchange->response_values("mcp-session-id").empty());
  CHECK(exchange->response_values("set-cookie").empty());
  CHECK((*exchange)->affinity.outcome == Outcome::kNone);
}

TEST_CASE("a replica that makes another id on a session's response has it wrapped as a new one") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  const auto exchange = rig.post(id);
  exchange->respond(200).response_header("mcp-session-id", "second");
  rig.finish(*exchange);
  const std::string second = exchange->response_value("mcp-session-id");
  CHECK(second.ends_with("-second"));
  CHECK((*rig.post(second))->replica->id == "b");
}

TEST_CASE(
    "forged, truncated, moved and foreign ids are answered 404 with JSON-RPC and touch no "
    "replica") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  std::string altered = id;
  altered[5] = altered[5] == 'A' ? 'B' : 'A';
  AffinityRig other(kMcp, {"a", "b"}, "other");
  const auto strange = other.request();
  strange->method("POST");
  other.select(*strange);
  strange->respond(200).response_header("mcp-session-id", kUuid);
  other.finish(*strange);
  for (const std::string& text :
       {altered, id.substr(0, 60), id.substr(0, id.size() - 1), id + "x",
        id.substr(0, kTokenLetters + 1), std::string(kUuid), std::string("x"),
        id.substr(0, kTokenLetters + 1) + "another-session",
        strange->response_value("mcp-session-id")}) {
    const auto exchange = rig.post(text);
    CHECK_MESSAGE((*exchange)->answer.status == 404, text);
    CHECK((*exchange)->answer.make_body(exchange->arena(),
                                        R"({"jsonrpc":"2.0","id":7,"method":"ping"})") ==
          R"({"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":7})");
    CHECK((*exchange)->answer.content_type == "application/json");
    CHECK((*exchange)->affinity.outcome == Outcome::kRefused);
  }
}

TEST_CASE("two session ids in one request are refused") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  const auto exchange = rig.request();
  exchange->header("mcp-session-id", id).header("mcp-session-id", id);
  CHECK(rig.select(*exchange).kind == Choice::Kind::kAnswer);
}

TEST_CASE("long original ids with + / = . _ pass in both directions") {
  McpRig rig;
  const std::string original = "c2Vzc2lvbg+/.~_=" + std::string(600, 'x') + "==";
  const std::string id = rig.open_session("c", original);
  const auto exchange = rig.post(id);
  CHECK((*exchange)->replica->id == "c");
  CHECK(exchange->request_value("mcp-session-id") == original);
}

TEST_CASE("a gone replica's session is refused 404, and is never carried over in pretence") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  McpRig later({"a", "c"});
  const auto exchange = later.post(id);
  CHECK((*exchange)->answer.status == 404);
  CHECK((*exchange)->affinity.cause == Cause::kGone);
}

TEST_CASE("a refused connect ends the session at once, without waiting") {
  McpRig rig;
  const auto exchange = rig.post(rig.open_session("b"));
  exchange->failed_on(*rig.pool->find("b"), FailureCause::kConnectRefused);
  CHECK(rig.select(*exchange).kind == Choice::Kind::kAnswer);
  CHECK((*exchange)->affinity.cause == Cause::kGone);
}

TEST_CASE("a replica that is down is waited for at most a second, then the session is not found") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  rig.vitals("b").health = Health::kDown;
  const auto exchange = rig.request();
  exchange->method("POST").header("mcp-session-id", id);
  const Choice choice = rig.select(*exchange);
  CHECK(choice.kind == Choice::Kind::kWait);
  CHECK(choice.at_most == seconds(1));
  (*exchange)->is_waiting_over = true;
  CHECK(rig.select(*exchange).kind == Choice::Kind::kAnswer);
  CHECK((*exchange)->answer.status == 404);
}

TEST_CASE("a restarted replica does not hold the session any more") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  rig.rig.advance(seconds(10));
  rig.vitals("b").note_death(rig.rig.wall());
  CHECK((*rig.post(id))->answer.status == 404);
  CHECK((*rig.post(rig.open_session("b")))->replica->id == "b");
}

TEST_CASE("a session id decides alone, whatever cookie comes with it; the cookie is stripped") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  const std::string cookie = rig.new_cookie("c");
  REQUIRE_FALSE(cookie.empty());
  const auto exchange = rig.request();
  exchange->method("POST").header("mcp-session-id", id).header("cookie", cookie);
  rig.select(*exchange);
  CHECK((*exchange)->replica->id == "b");
  CHECK(exchange->request_values("cookie").empty());
  const auto forged = rig.request();
  forged->method("POST").header("mcp-session-id", "forged").header("cookie", cookie);
  CHECK(rig.select(*forged).kind == Choice::Kind::kAnswer);
}

TEST_CASE("requests that are not MCP's use the cookie in the same pool") {
  McpRig rig;
  const std::string cookie = rig.new_cookie("c");  // a plain GET
  const auto exchange = rig.select(cookie);
  CHECK((*exchange)->replica->id == "c");
  CHECK((*exchange)->affinity.source == "cookie");
}

TEST_CASE("an initialize is placed anew even by a client that holds a cookie, and gets no cookie") {
  McpRig rig;
  const std::string cookie = rig.new_cookie("c");
  const auto exchange = rig.request();
  exchange->method("POST")
      .header("accept", "application/json, text/event-stream")
      .header("cookie", cookie);
  CHECK(rig.select(*exchange, "a").kind == Choice::Kind::kNone);
  CHECK(exchange->request_values("cookie").empty());
  exchange->respond(200).response_header("mcp-session-id", kUuid);
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
  CHECK((*exchange)->affinity.outcome == Outcome::kNew);
}

TEST_CASE("a cookie's token does not pass for a session id, nor a session's for a cookie") {
  McpRig rig;
  const std::string cookie = rig.new_cookie("c").substr(7);
  CHECK((*rig.post(cookie + "-" + std::string(kUuid)))->answer.status == 404);
  const std::string id = rig.open_session("b");
  (void)rig.post(id);  // the connection remembers it now
  for (const std::string& value : {id, id.substr(0, kTokenLetters)}) {
    CHECK((*rig.select("limpet=" + value))->affinity.cause == Cause::kInvalid);
  }
}

TEST_CASE("a session deleted by its client leaves the count of live ones") {
  McpRig rig;
  const std::string id = rig.open_session("b");
  CHECK(rig.vitals("b").sessions(0, UINT32_MAX) == 1);
  const auto exchange = rig.post(id, "a", "DELETE");
  exchange->respond(204);
  rig.finish(*exchange);
  CHECK(rig.vitals("b").sessions(0, UINT32_MAX) == 0);
}

TEST_CASE("on_invalid move sends the request on as it is") {
  AffinityRig rig("from = [\"mcp\"]\non_invalid = \"move\"");
  const auto exchange = rig.request();
  exchange->method("POST").header("mcp-session-id", "unknown");
  CHECK(rig.select(*exchange).kind == Choice::Kind::kNone);
  CHECK(exchange->request_value("mcp-session-id") == "unknown");
  CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
}

}  // namespace
}  // namespace limpet::affinity
