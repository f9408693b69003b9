// SPDX-License-Identifier: Apache-2.0
#include "modules/request_id/request_id.h"

#include <set>
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

struct IdRig {
  explicit IdRig(std::string_view toml = "")
      : pool(test::make_pool("web", Values{"a"})),
        plan(kRequestId, *pool, "[pool.web.request_id]\n" + std::string(toml)),
        rig(*pool, *plan) {
    REQUIRE_MESSAGE(plan.is_valid(), plan.mistakes());
  }
  std::unique_ptr<PoolFacts> pool;
  test::PlanRig plan;
  test::ModuleRig rig;
  ClientFacts client;
};

TEST_CASE("a request without an id gets one, for the replica, the client and the log") {
  IdRig id;
  TestExchange exchange(id.client, id.pool.get());
  id.rig.request(exchange);
  const std::string made(exchange->request_id);
  CHECK(made.size() == 32);
  CHECK(made.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(exchange.request_value("x-request-id") == made);
  exchange.respond(200).response_header("x-request-id", "of the replica");
  id.rig.response(exchange);
  CHECK(exchange.response_values("x-request-id") == Values{made});
}

TEST_CASE("no two ids are the same") {
  IdRig id;
  std::set<std::string> ids;
  for (int i = 0; i < 1'000; ++i) {
    TestExchange exchange(id.client, id.pool.get());
    id.rig.request(exchange);
    ids.emplace(exchange->request_id);
  }
  CHECK(ids.size() == 1'000);
}

TEST_CASE("an id that comes in is kept only from whom it is believed, and only when well formed") {
  const std::string longest(128, 'x');
  const std::string too_long(129, 'x');
  struct Row {
    const char* toml;
    bool is_trusted;
    std::string_view given;
    bool is_kept;
  };
  const Row rows[] = {
      {"", true, "abc-123", true},
      {"", false, "abc-123", false},
      {"trust = \"always\"", false, "abc-123", true},
      {"trust = \"never\"", true, "abc-123", false},
      {"trust = \"always\"", true, longest, true},
      {"trust = \"always\"", true, too_long, false},
      {"trust = \"always\"", true, "", false},
      {"trust = \"always\"", true, "a b", false},
      {"trust = \"always\"", true, "a\xc3\xa9", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.given);
    IdRig id(row.toml);
    id.client.is_trusted = row.is_trusted;
    TestExchange exchange(id.client, id.pool.get());
    exchange.header("x-request-id", row.given);
    id.rig.request(exchange);
    CHECK((exchange->request_id == row.given) == row.is_kept);
    CHECK(exchange.request_values("x-request-id") == Values{std::string(exchange->request_id)});
  }
}

TEST_CASE("the field is a setting") {
  IdRig id("header = \"X-Correlation-Id\"");
  TestExchange exchange(id.client, id.pool.get());
  exchange.header("x-correlation-id", "old").header("x-request-id", "other");
  id.rig.request(exchange);
  CHECK(exchange.request_value("x-correlation-id") == exchange->request_id);
  CHECK(exchange.request_value("x-request-id") == "other");
  exchange.respond(200).response_header("x-correlation-id", "old");
  id.rig.response(exchange);
  CHECK(exchange.response_value("x-correlation-id") == exchange->request_id);
}

TEST_CASE("a field that cannot carry an id is a mistake") {
  auto pool = test::make_pool("web", Values{"a"});
  for (const char* name : {"", "a b", "Content-Length", "Host"}) {
    CAPTURE(name);
    const test::PlanRig plan(kRequestId, *pool,
                             "[pool.web.request_id]\nheader = \"" + std::string(name) + "\"");
    CHECK_FALSE(plan.is_valid());
  }
}

}  // namespace
}  // namespace limpet
