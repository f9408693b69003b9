// SPDX-License-Identifier: Apache-2.0
// Sessions that are not simply wrapped in a header: ids in the query of legacy POSTs, ids bound to
// somebody, ids that are learnt, and ids of other gateways.
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/base/text.h"
#include "modules/affinity/token_text.h"
#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using test::AffinityRig;
using test::TestExchange;

constexpr std::string_view kMcp = R"(
from = ["mcp", "cookie"]
incarnation = "strict"
on_gone = "carry-over else refuse:404"
on_down = "wait:1s then carry-over else refuse:404"
on_invalid = "refuse:404"
)";

class McpRig : public AffinityRig {
 public:
  explicit McpRig(std::string_view mcp = {})
      : AffinityRig(std::string(kMcp) + "[pool.web.mcp]\n" + std::string(mcp) +
                    "\n[pool.web]\nchain = [\"mcp\", \"affinity\"]") {}

  std::unique_ptr<TestExchange> post(std::string_view target, std::string_view session = {},
                                     std::string_view who = {}) {
    auto exchange = request();
    exchange->method("POST").target(target).header("content-type", "application/json");
    if (!session.empty()) exchange->header("mcp-session-id", session);
    if (!who.empty()) exchange->header("authorization", who);
    (*exchange)->carrier = carrier;
    return exchange;
  }
  std::string open(std::string_view original, std::string_view who = {},
                   std::string_view pick = "b") {
    const auto exchange = post("/mcp", {}, who);
    select(*exchange, pick);
    exchange->respond(200).response_header("mcp-session-id", original);
    finish(*exchange);
    return exchange->response_value("mcp-session-id");
  }
  /// The id that a legacy stream of replica `pick` gives its client.
  std::string open_stream(std::string_view original, std::string_view pick = "b") {
    const auto exchange = request();
    exchange->target("/sse").header("accept", "text/event-stream");
    select(*exchange, pick);
    return std::string((*exchange)->sealer->seal(**exchange, original));
  }

  SessionCarrier* carrier = nullptr;
};

std::string bearer(const std::string& payload) {
  return "Bearer " + text::base64url(R"({"alg":"none"})") + "." + text::base64url(payload) +
         ".c2ln";
}

bool is_refused(const Choice& choice, TestExchange& exchange) {
  return choice.kind == Choice::Kind::kAnswer && exchange->answer.status == 404 &&
         exchange->answer.make_body != nullptr;
}

TEST_CASE("a legacy POST meets the owner, who sees its own id in the same place of the query") {
  McpRig rig;
  const std::string id = rig.open_stream("abc123");
  for (const std::string name : {"sessionId", "session_id", "sessionid"}) {
    const auto exchange = rig.post("/message?x=1&" + name + "=" + id + "&y=2");
    rig.select(*exchange);
    CHECK((*exchange)->replica->id == "b");
    CHECK((*exchange)->affinity.outcome == Outcome::kHit);
    CHECK((*exchange)->affinity.source == "mcp");
    CHECK((*exchange)->request.target == "/message?x=1&" + name + "=abc123&y=2");
    CHECK((*exchange)->request.path == "/message");
    CHECK((*exchange)->request.query == "x=1&" + name + "=abc123&y=2");
    CHECK((*exchange)->session.client_id == id);
  }
}

TEST_CASE("a legacy id that is forged, foreign or bare is not found, and no replica is asked") {
  McpRig rig;
  const std::string id = rig.open_stream("abc123");
  for (const std::string& sent : {std::string("abc123"), id + "4", id.substr(1), "x-" + id,
                                  std::string(kTokenLetters, '0') + "-abc123"}) {
    const auto exchange = rig.post("/message?sessionId=" + sent);
    const Choice choice = rig.select(*exchange);
    CHECK(is_refused(choice, *exchange));
    CHECK((*exchange)->request.query == "sessionId=" + sent);
  }
}

TEST_CASE("a parameter of that name that is another app's is left alone") {
  McpRig rig;
  const auto form = rig.request();
  form->method("POST")
      .target("/login?sessionid=abc")
      .header("content-type", "application/x-www-form-urlencoded");
  rig.select(*form);
  CHECK(rig.rig.verdict() == Verdict::kNext);
  McpRig later;
  const auto get = later.request();
  get->target("/?sessionId=abc");
  later.select(*get);
  CHECK(later.rig.verdict() == Verdict::kNext);
  CHECK((*get)->request.query == "sessionId=abc");
}

TEST_CASE("a session bound to its user is unknown to everybody else") {
  McpRig rig("bind_to = \"jwt-subject\"");
  const std::string ada = bearer(R"({"iss":"i","sub":"ada","exp":1})");
  const std::string renewed = bearer(R"({"iss":"i","sub":"ada","exp":2})");
  const std::string bob = bearer(R"({"iss":"i","sub":"bob"})");
  const std::string id = rig.open("orig", ada);
  const auto refused = [&](std::string_view who) {
    const auto exchange = rig.post("/mcp", id, who);
    return is_refused(rig.select(*exchange), *exchange);
  };
  CHECK_FALSE(refused(ada));
  CHECK_FALSE(refused(renewed));
  CHECK(refused(bob));
  CHECK_FALSE(refused(ada));  // on the connection that bob used as well
  CHECK(refused(""));
  CHECK(refused("Bearer opaque"));
}

TEST_CASE("a session can be bound to a header, and an id of days without a binding is unknown") {
  McpRig unbound;
  const std::string old = unbound.open("orig");
  McpRig rig("bind_to = \"header:X-User\"");
  const auto stranger = rig.post("/mcp", old);
  CHECK(is_refused(rig.select(*stranger), *stranger));

  const auto opening = rig.post("/mcp");
  opening->header("x-user", "ada");
  rig.select(*opening, "c");
  opening->respond(200).response_header("mcp-session-id", "orig");
  rig.finish(*opening);
  const std::string id = opening->response_value("mcp-session-id");
  const auto back = rig.post("/mcp", id);
  back->header("x-user", "ada");
  rig.select(*back);
  CHECK((*back)->replica->id == "c");
  CHECK(back->request_value("mcp-session-id") == "orig");
  const auto other = rig.post("/mcp", id);
  other->header("x-user", "bob");
  CHECK(is_refused(rig.select(*other), *other));
}

TEST_CASE("long ids of other gateways, with + / =, pass both ways") {
  McpRig rig;
  std::string original;
  while (original.size() < 700)
    original += "aB3+/x";
  original += "==";
  const std::string id = rig.open(original, {}, "c");
  CHECK(id.ends_with("-" + original));
  const auto exchange = rig.post("/mcp", id);
  rig.select(*exchange);
  CHECK((*exchange)->replica->id == "c");
  CHECK(exchange->request_value("mcp-session-id") == original);
}

TEST_CASE("every visible letter may stand in an original id") {
  McpRig rig;
  std::string original;
  for (char c = 0x21; c < 0x7f; ++c)
    original += c;
  const auto exchange = rig.post("/mcp", rig.open(original, {}, "a"));
  rig.select(*exchange, "b");
  CHECK((*exchange)->replica->id == "a");
  CHECK(exchange->request_value("mcp-session-id") == original);
}

// Knows one session.
class OneSession final : public SessionCarrier {
 public:
  OneSession(const Replica& replica, std::string id) : replica_(replica), id_(std::move(id)) {}
  Place find(Exchange&, std::string_view asked) override {
    ++asked_;
    if (asked != id_) return {};
    return {Kind::kMoved, &replica_, id_};
  }
  int asked_ = 0;

 private:
  const Replica& replica_;
  std::string id_;
};

TEST_CASE("where ids are learnt they stay as they are, and a connection asks once") {
  McpRig rig("session_ids = \"learn\"");
  OneSession known(*rig.pool->find("b"), "orig");
  rig.carrier = &known;
  CHECK(rig.open("orig") == "orig");
  for (int i = 0; i < 3; ++i) {
    const auto exchange = rig.post("/mcp", "orig");
    rig.select(*exchange);
    CHECK((*exchange)->replica->id == "b");
    CHECK((*exchange)->affinity.outcome == Outcome::kHit);
    exchange->respond(200).response_header("mcp-session-id", "orig");
    rig.finish(*exchange);
    CHECK(exchange->response_value("mcp-session-id") == "orig");
  }
  CHECK(known.asked_ == 1);
  const auto stranger = rig.post("/mcp", "other");
  CHECK(is_refused(rig.select(*stranger), *stranger));
  const auto legacy = rig.post("/message?sessionId=orig");
  rig.select(*legacy);
  CHECK((*legacy)->replica->id == "b");
  CHECK((*legacy)->request.target == "/message?sessionId=orig");
}

// What a carrier says of a session that another principal presents.
class NotTheirs final : public SessionCarrier {
 public:
  Place find(Exchange&, std::string_view asked) override {
    return asked == "ada's" ? Place{Kind::kEnded} : Place{};
  }
};

TEST_CASE("a learnt id of somebody else's leads nowhere, whatever the request looks like") {
  McpRig rig("session_ids = \"learn\"\nbind_to = \"header:X-User\"");
  NotTheirs carrier;
  rig.carrier = &carrier;
  const auto in_header = rig.post("/mcp", "ada's");
  CHECK(is_refused(rig.select(*in_header), *in_header));
  for (const std::string type : {"application/json", "text/plain"}) {
    auto in_query = rig.request();
    in_query->method("POST").target("/message?sessionId=ada's").header("content-type", type);
    (*in_query)->carrier = &carrier;
    CHECK(is_refused(rig.select(*in_query), *in_query));
  }
  auto other_app = rig.request();
  other_app->method("POST").target("/form?sessionId=1").header("content-type", "text/plain");
  (*other_app)->carrier = &carrier;
  CHECK_FALSE(is_refused(rig.select(*other_app), *other_app));
}

TEST_CASE("a session that is bound to a certificate is unknown without it") {
  McpRig rig("bind_to = \"client-certificate\"");
  rig.client.tls_subject = "CN=ada";
  const std::string id = rig.open("orig");
  const auto asked_as = [&](std::string_view subject) {
    rig.client.tls_subject = subject;
    const auto exchange = rig.post("/mcp", id);
    const Choice choice = rig.select(*exchange);
    return is_refused(choice, *exchange) ? std::string("refused")
                                         : std::string((*exchange)->replica->id);
  };
  CHECK(asked_as("CN=ada") == "b");
  CHECK(asked_as("CN=bob") == "refused");
  CHECK(asked_as("") == "refused");
  CHECK(asked_as("CN=ada") == "b");
}

}  // namespace
}  // namespace limpet::affinity
