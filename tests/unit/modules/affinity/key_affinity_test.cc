// SPDX-License-Identifier: Apache-2.0
// Affinity by the hash of a header, a query parameter or the client's address, and the order of
// sources.
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using test::AffinityRig;
using test::TestExchange;

std::string replica_for(AffinityRig& rig, std::string_view header, std::string_view value) {
  const auto exchange = rig.request();
  exchange->header(header, value);
  rig.select(*exchange);
  return (*exchange)->replica == nullptr ? std::string() : (*exchange)->replica->id;
}

TEST_CASE("one header value always meets one replica, values spread, and no cookie is set") {
  AffinityRig rig("from = [\"header:X-User\"]");
  AffinityRig other("from = [\"header:x-user\"]", {"c", "a", "b"});
  int on_a = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string user = "user-" + std::to_string(i);
    const std::string id = replica_for(rig, "x-user", user);
    CHECK(replica_for(other, "x-user", user) == id);
    on_a += id == "a" ? 1 : 0;
  }
  CHECK(on_a > 5);
  CHECK(on_a < 40);
  const auto exchange = rig.request();
  exchange->header("x-user", "someone");
  rig.select(*exchange);
  CHECK((*exchange)->affinity.outcome == Outcome::kHit);
  CHECK((*exchange)->affinity.source == "header:x-user");
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
}

TEST_CASE("a request without the header is balanced, with no outcome") {
  AffinityRig rig("from = [\"header:x-user\"]");
  const auto exchange = rig.select("");
  CHECK(rig.rig.verdict() == Verdict::kNext);
  rig.finish(*exchange);
  CHECK((*exchange)->affinity.outcome == Outcome::kNone);
}

TEST_CASE("a query parameter's value decides, the first of its name") {
  AffinityRig rig("from = [\"query:user\"]");
  AffinityRig header("from = [\"header:x-user\"]");
  const auto exchange = rig.request();
  exchange->target("/p?xuser=no&user=u7&user=u8");
  rig.select(*exchange);
  CHECK((*exchange)->replica->id == replica_for(header, "x-user", "u7"));
  const auto none = rig.request();
  none->target("/p?u=1");
  CHECK(rig.select(*none).kind == Choice::Kind::kNone);
}

TEST_CASE("the client's address decides, as the outside world sees it") {
  AffinityRig rig("from = [\"client-ip\"]");
  AffinityRig header("from = [\"header:x-user\"]");
  rig.client.address = "192.0.2.7";
  const auto direct = rig.request();
  rig.select(*direct);
  CHECK((*direct)->replica->id == replica_for(header, "x-user", "192.0.2.7"));
  const auto proxied = rig.request();
  (*proxied)->client_address = "198.51.100.9";
  rig.select(*proxied);
  CHECK((*proxied)->replica->id == replica_for(header, "x-user", "198.51.100.9"));
}

TEST_CASE(
    "where the owner is not usable the next in order takes over, and the owner comes back to its "
    "values") {
  AffinityRig rig("from = [\"header:x-user\"]");
  const std::string owner = replica_for(rig, "x-user", "u");
  rig.vitals(owner).health = Health::kDown;
  const auto exchange = rig.request();
  exchange->header("x-user", "u");
  rig.select(*exchange);
  const std::string second = (*exchange)->replica->id;
  CHECK(second != owner);
  CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
  CHECK((*exchange)->affinity.cause == Cause::kDown);
  CHECK(replica_for(rig, "x-user", "u") == second);
  rig.vitals(owner).health = Health::kUp;
  CHECK(replica_for(rig, "x-user", "u") == owner);
}

TEST_CASE("policies hold for hashed values too") {
  AffinityRig rig("from = [\"header:x-user\"]\non_down = \"refuse:503\"");
  rig.vitals(replica_for(rig, "x-user", "u")).health = Health::kDown;
  const auto exchange = rig.request();
  exchange->header("x-user", "u");
  CHECK(rig.select(*exchange).kind == Choice::Kind::kAnswer);
}

TEST_CASE("with every replica down a hashed value is left to balance") {
  AffinityRig rig("from = [\"header:x-user\"]");
  for (const char* id : {"a", "b", "c"})
    rig.vitals(id).health = Health::kDown;
  const auto exchange = rig.request();
  exchange->header("x-user", "u");
  CHECK(rig.select(*exchange).kind == Choice::Kind::kNone);
}

TEST_CASE(
    "sources speak in their order: a cookie before a header keeps its replica, and is set for a "
    "hashed placement") {
  AffinityRig rig("from = [\"cookie\", \"header:x-user\"]");
  const std::string owner = replica_for(rig, "x-user", "u");
  const std::string elsewhere = owner == "a" ? "b" : "a";
  const std::string cookie = rig.new_cookie(elsewhere);
  auto exchange = rig.request();
  exchange->header("x-user", "u").header("cookie", cookie);
  rig.select(*exchange);
  CHECK((*exchange)->replica->id == elsewhere);
  exchange = rig.request();
  exchange->header("x-user", "u");
  rig.select(*exchange);
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").size() == 1);
}

TEST_CASE("a header before the cookie decides alone, and no cookie is set where it speaks") {
  AffinityRig rig("from = [\"header:x-user\", \"cookie\"]");
  const std::string owner = replica_for(rig, "x-user", "u");
  const std::string cookie = rig.new_cookie(owner == "a" ? "b" : "a");
  const auto exchange = rig.request();
  exchange->header("x-user", "u").header("cookie", cookie);
  rig.select(*exchange);
  CHECK((*exchange)->replica->id == owner);
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
}

}  // namespace
}  // namespace limpet::affinity
