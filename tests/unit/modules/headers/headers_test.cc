// SPDX-License-Identifier: Apache-2.0
#include "modules/headers/headers.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet {
namespace {

using test::TestExchange;
using Values = std::vector<std::string>;

TEST_CASE("fields of requests and responses are removed, set and added") {
  auto pool = test::make_pool("web", Values{"a"});
  const test::PlanRig plan(kHeaders, *pool, R"(
[pool.web.headers]
request = { set = { "X-Env" = "prod", Accept = "text/plain" }, add = { "X-Tag" = "two" }, remove = ["X-Secret", "Cookie"] }
response = { set = { Server = "limpet" }, add = { Set-Cookie = "a=b" }, remove = ["X-Powered-By"] }
)");
  REQUIRE_MESSAGE(plan.is_valid(), plan.mistakes());
  test::ModuleRig rig(*pool, *plan);
  ClientFacts client;
  TestExchange exchange(client, pool.get());
  exchange.header("x-env", "dev").header("accept", "*/*").header("accept", "a/b");
  exchange.header("x-tag", "one").header("x-secret", "s").header("cookie", "c=d");
  rig.request(exchange);
  CHECK(exchange.request_values("x-env") == Values{"prod"});
  CHECK(exchange.request_values("accept") == Values{"text/plain"});
  CHECK(exchange.request_values("x-tag") == Values{"one", "two"});
  CHECK(exchange.request_values("x-secret").empty());
  CHECK(exchange.request_values("cookie").empty());
  CHECK(exchange->request.fields.find(FieldName::kAccept) != nullptr);

  exchange.respond(200).response_header("server", "x").response_header("x-powered-by", "y");
  exchange.response_header("set-cookie", "c=d");
  rig.response(exchange);
  CHECK(exchange.response_values("server") == Values{"limpet"});
  CHECK(exchange.response_values("x-powered-by").empty());
  CHECK(exchange.response_values("set-cookie") == Values{"c=d", "a=b"});
}

constexpr std::string_view kAsksClients =
    "[[listener]]\nname = \"secure\"\n[listener.tls]\nclient_auth = \"required\"\n";

TEST_CASE("the replica is told whose certificate the client has, and by nobody else") {
  auto pool = test::make_pool("web", Values{"a"});
  const test::PlanRig plan(kHeaders, *pool,
                           "[pool.web.headers]\nrequest = { client_certificate = "
                           "\"X-Client-Subject\", set = { \"X-Client-Subject\" = \"fixed\" } }\n" +
                               std::string(kAsksClients));
  REQUIRE_MESSAGE(plan.is_valid(), plan.mistakes());
  REQUIRE(plan->wants(Phase::kRequest));
  test::ModuleRig rig(*pool, *plan);
  for (const std::string_view subject : {std::string_view("CN=ada,O=x"), std::string_view()}) {
    ClientFacts client;
    client.tls_subject = subject;
    TestExchange exchange(client, pool.get());
    for (const std::string_view name : {"x-client-subject", "x_client_subject", "x-client_subject"})
      exchange.header(name, "CN=root");
    exchange.header("x-client-subjects", "mine");
    rig.request(exchange);
    CHECK(exchange.request_values("x-client-subject") ==
          (subject.empty() ? Values{} : Values{std::string(subject)}));
    CHECK(exchange.request_values("x_client_subject").empty());
    CHECK(exchange.request_values("x-client_subject").empty());
    CHECK(exchange.request_values("x-client-subjects") == Values{"mine"});
  }
}

TEST_CASE("a field for certificates needs a good name and a listener that asks for them") {
  auto pool = test::make_pool("web", Values{"a"});
  const auto mistakes = [&](std::string_view name, std::string_view more) {
    const test::PlanRig plan(kHeaders, *pool,
                             "[pool.web.headers.request]\nclient_certificate = \"" +
                                 std::string(name) + "\"\n" + std::string(more));
    return plan.mistakes();
  };
  const auto says = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(mistakes("X-Client-Subject", kAsksClients) == "");
  CHECK(says(mistakes("X-Client-Subject", ""), "client_certificate: no listener asks"));
  CHECK(says(mistakes("a b", kAsksClients), "is not a field name"));
  CHECK(says(mistakes("Host", kAsksClients), "cannot be changed"));
}

TEST_CASE("without settings no phase is wanted") {
  auto pool = test::make_pool("web", Values{"a"});
  const test::PlanRig none(kHeaders, *pool, "");
  for (const Phase phase : {Phase::kRequest, Phase::kSelect, Phase::kFailure, Phase::kResponse}) {
    CHECK_FALSE(none->wants(phase));
  }
  const test::PlanRig one(kHeaders, *pool, "[pool.web.headers]\nresponse = { remove = [\"x\"] }");
  CHECK_FALSE(one->wants(Phase::kRequest));
  CHECK(one->wants(Phase::kResponse));
}

TEST_CASE("names and values that would break a message are mistakes") {
  struct Row {
    const char* toml;
    const char* expected;
  };
  constexpr Row kRows[] = {
      {"request = { set = { Content-Length = \"5\" } }", "where the message ends"},
      {"request = { add = { \"Transfer-Encoding\" = \"chunked\" } }", "where the message ends"},
      {"response = { remove = [\"X-Fine\", \"Connection\"] }", "belongs to one connection"},
      {"response = { set = { Upgrade = \"h2c\" } }", "belongs to one connection"},
      {"request = { set = { Host = \"x\" } }", "forward_host"},
      {"request = { set = { \"a b\" = \"x\" } }", "not a field name"},
      {"request = { set = { \"\" = \"x\" } }", "not a field name"},
      {"request = { remove = [\":path\"] }", "not a field name"},
      {"request = { set = { x = \"a\\r\\nevil: 1\" } }", "cannot stand in a field"},
      {"request = { set = { x = \" a\" } }", "cannot stand in a field"},
      {"request = { set = { x = 5 } }", "x"},
  };
  auto pool = test::make_pool("web", Values{"a"});
  for (const Row& row : kRows) {
    CAPTURE(row.toml);
    const test::PlanRig plan(kHeaders, *pool, "[pool.web.headers]\n" + std::string(row.toml));
    CHECK_FALSE(plan.is_valid());
    CHECK_MESSAGE(plan.mistakes().find(row.expected) != std::string::npos, plan.mistakes());
  }
}

}  // namespace
}  // namespace limpet
