// SPDX-License-Identifier: Apache-2.0
// Affinity by who is asking, and by values that MCP mirrors into headers.
#include <string>

#include <doctest/doctest.h>

#include "daemon/base/text.h"
#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using test::AffinityRig;
using test::TestExchange;

std::string bearer(const std::string& subject, const std::string& rest = "") {
  return "Bearer " + text::base64url(R"({"alg":"none"})") + "." +
         text::base64url(R"({"iss":"https://i","sub":")" + subject + "\"" + rest + "}") + ".c2ln";
}

std::string home_of(AffinityRig& rig, std::string_view header, std::string_view value) {
  const auto exchange = rig.request();
  exchange->header(header, value);
  const Choice choice = rig.select(*exchange);
  return choice.kind == Choice::Kind::kChosen ? choice.replica->id : std::string();
}

TEST_CASE("the requests of one subject meet, whatever else their tokens say") {
  AffinityRig rig("from = [\"principal\"]");
  AffinityRig other("from = [\"principal\"]", {"c", "b", "a"});
  int on_a = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string user = "u" + std::to_string(i);
    const std::string home = home_of(rig, "authorization", bearer(user));
    CHECK_FALSE(home.empty());
    CHECK(home_of(other, "authorization", bearer(user, ",\"exp\":9")) == home);
    on_a += home == "a" ? 1 : 0;
  }
  CHECK(on_a > 5);
  CHECK(on_a < 40);
}

TEST_CASE("who names nobody is balanced") {
  AffinityRig rig("from = [\"principal\"]");
  CHECK(home_of(rig, "authorization", "Bearer opaque").empty());
  CHECK(home_of(rig, "authorization", "Basic YTpi").empty());
  CHECK(home_of(rig, "x-user", "ada").empty());
}

TEST_CASE("a header can name the principal") {
  AffinityRig rig("from = [\"principal\"]\nprincipal = \"header:X-User\"");
  CHECK_FALSE(home_of(rig, "x-user", "ada").empty());
  CHECK(home_of(rig, "x-user", "ada") == home_of(rig, "x-user", " ada "));
  CHECK(home_of(rig, "authorization", bearer("ada")).empty());
}

TEST_CASE("a client's certificate can name the principal, and no header can") {
  AffinityRig rig("from = [\"principal\"]\nprincipal = \"client-certificate\"");
  CHECK(home_of(rig, "x-user", "CN=ada").empty());
  rig.client.tls_subject = "CN=ada";
  const std::string home = home_of(rig, "x-user", "bob");
  CHECK_FALSE(home.empty());
  CHECK(home_of(rig, "authorization", bearer("bob")) == home);
  int elsewhere = 0;
  for (int i = 0; i < 30; ++i) {
    const std::string subject = "CN=u" + std::to_string(i);
    rig.client.tls_subject = subject;
    elsewhere += home_of(rig, "x-user", "bob") == home ? 0 : 1;
  }
  CHECK(elsewhere > 5);
}

TEST_CASE("one busy principal does not bury its replica: the next one takes what is too much") {
  AffinityRig rig("from = [\"principal\"]");
  const std::string home = home_of(rig, "authorization", bearer("busy"));
  rig.vitals(home).share(0).in_flight = 3;
  CHECK(home_of(rig, "authorization", bearer("busy")) == home);
  rig.vitals(home).share(0).in_flight = 20;
  const auto exchange = rig.request();
  exchange->header("authorization", bearer("busy"));
  rig.select(*exchange);
  CHECK((*exchange)->replica->id != home);
  CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
  CHECK((*exchange)->affinity.cause == Cause::kFull);
  // Where all are as busy, nobody moves.
  for (const std::string id : {"a", "b", "c"})
    rig.vitals(id).share(0).in_flight = 20;
  CHECK(home_of(rig, "authorization", bearer("busy")) == home);
}

TEST_CASE("a principal whose replica is down moves, and comes back with it") {
  AffinityRig rig("from = [\"principal\"]");
  const std::string home = home_of(rig, "authorization", bearer("ada"));
  rig.vitals(home).health = Health::kDown;
  const std::string next = home_of(rig, "authorization", bearer("ada"));
  CHECK_FALSE(next.empty());
  CHECK(next != home);
  rig.vitals(home).health = Health::kUp;
  CHECK(home_of(rig, "authorization", bearer("ada")) == home);
}

std::string home_of_handle(AffinityRig& rig, std::string_view value, std::string_view version) {
  const auto exchange = rig.request();
  exchange->method("POST").header("mcp-param-basket", value);
  if (!version.empty()) exchange->header("mcp-protocol-version", version);
  const Choice choice = rig.select(*exchange);
  return choice.kind == Choice::Kind::kChosen ? choice.replica->id : std::string();
}

TEST_CASE("a mirrored parameter is decoded, and believed only where the version has it checked") {
  AffinityRig rig("from = [\"header:Mcp-Param-Basket\"]");
  for (int i = 0; i < 20; ++i) {
    const std::string basket = "basket-" + std::to_string(i);
    const std::string home = home_of_handle(rig, basket, "2026-07-28");
    CHECK_FALSE(home.empty());
    CHECK(home_of_handle(rig, "=?base64?" + text::base64url(basket) + "?=", "2026-07-28") == home);
    CHECK(home_of_handle(rig, basket, "2025-11-25").empty());
    CHECK(home_of_handle(rig, basket, "").empty());
  }
  CHECK(home_of_handle(rig, "=?base64?***?=", "2026-07-28").empty());
}

TEST_CASE("explain says where a principal and a mirrored value lead") {
  AffinityRig rig("from = [\"principal\", \"header:mcp-param-basket\"]");
  ExplainAnswer answer;
  const std::string token = bearer("ada");
  rig.plan->explain({"principal", "", token, rig.rig.wall()}, *rig.pool, answer);
  CHECK(answer.verdict == "hit");
  CHECK(answer.replica == home_of(rig, "authorization", token));
  ExplainAnswer bare;
  rig.plan->explain({"principal", "", token.substr(7), rig.rig.wall()}, *rig.pool, bare);
  CHECK(bare.replica == answer.replica);
  ExplainAnswer nobody;
  rig.plan->explain({"principal", "", "opaque", rig.rig.wall()}, *rig.pool, nobody);
  CHECK(nobody.verdict == "none");
  ExplainAnswer handle;
  rig.plan->explain({"header", "Mcp-Param-Basket", "=?base64?YjE=?=", rig.rig.wall()}, *rig.pool,
                    handle);
  CHECK(handle.replica == home_of_handle(rig, "b1", "2026-07-28"));
}

}  // namespace
}  // namespace limpet::affinity
