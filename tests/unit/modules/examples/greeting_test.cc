// SPDX-License-Identifier: Apache-2.0
#include "modules/examples/greeting.h"

#include <doctest/doctest.h>

#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet {
namespace {

using test::TestExchange;

TEST_CASE("a greeting greets by the name in the header, and leaves other requests alone") {
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  const test::PlanRig plan(kGreeting, *pool, "[pool.web.greeting]\nheader = \"X-Who\"");
  REQUIRE_MESSAGE(plan.is_valid(), plan.mistakes());
  test::ModuleRig rig(*pool, *plan);
  ClientFacts client;

  TestExchange named(client, pool.get());
  named.target("/greeting").header("x-who", "Ada");
  CHECK(rig.module().on_request(*named) == Verdict::kSettled);
  CHECK(named->answer.status == 200);
  CHECK(named->answer.body == "Hello, Ada!\n");

  TestExchange unnamed(client, pool.get());
  unnamed.target("/greeting?x");
  CHECK(rig.module().on_request(*unnamed) == Verdict::kSettled);
  CHECK(unnamed->answer.body == "Hello, stranger!\n");

  for (const char* other : {"/", "/greetings", "/greeting/"}) {
    TestExchange exchange(client, pool.get());
    exchange.target(other);
    CHECK(rig.module().on_request(*exchange) == Verdict::kNext);
  }
  TestExchange post(client, pool.get());
  post.method("POST").target("/greeting");
  CHECK(rig.module().on_request(*post) == Verdict::kNext);
}

TEST_CASE("a greeting without the name of a header is a mistake") {
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  CHECK_FALSE(test::PlanRig(kGreeting, *pool, "[pool.web.greeting]\nheader = \"\"").is_valid());
}

}  // namespace
}  // namespace limpet
