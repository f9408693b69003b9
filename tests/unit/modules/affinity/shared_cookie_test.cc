// SPDX-License-Identifier: Apache-2.0
// Pools whose cookies have one name, as a browser that visits both has them.
#include <string>

#include <doctest/doctest.h>

#include "modules/affinity/cookie_tokens.h"
#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using std::chrono::seconds;
using test::AffinityRig;

TEST_CASE("pools whose cookies have one name share the browser's cookie, each with its own token") {
  AffinityRig shop("", {"a", "b", "c"}, "shop");
  AffinityRig rig("");
  const auto visit_of = [](AffinityRig& pool, const std::string& cookie, const std::string& id) {
    const auto exchange = pool.select(cookie, id);
    pool.finish(*exchange);
    return AffinityRig::pair_of(exchange->response_value("set-cookie"));
  };
  const std::string first = shop.new_cookie("b");
  const std::string both = visit_of(rig, first, "c");
  CHECK(both.size() == 2 * first.size() - std::string("limpet").size());
  CHECK(both.ends_with("." + first.substr(first.find('=') + 1)));
  for (int i = 0; i < 3; ++i) {
    const auto there = shop.select(both);
    CHECK((*there)->affinity.outcome == Outcome::kHit);
    CHECK((*there)->replica->id == "b");
    const auto here = rig.select(both);
    CHECK((*here)->affinity.outcome == Outcome::kHit);
    CHECK((*here)->replica->id == "c");
    CHECK(here->request_values("cookie").empty());
  }
  // The same over connections that have not seen it before, and in a cookie of its own.
  AffinityRig other("");
  CHECK((*other.select(both))->replica->id == "c");
  CHECK((*other.select(first + "; " + both))->replica->id == "c");
}

TEST_CASE("what ends in one pool leaves the tokens of others in the cookie") {
  AffinityRig shop("", {"a", "b", "c"}, "shop");
  AffinityRig rig("");
  const std::string theirs = shop.new_cookie("b");
  const std::string own = rig.new_cookie("c");
  const std::string both = own + "." + theirs.substr(theirs.find('=') + 1);
  const auto exchange = rig.select(both);
  exchange->respond(200).response_header("limpet-affinity", "end");
  rig.finish(*exchange);
  const std::string left = exchange->response_value("set-cookie");
  CHECK(AffinityRig::pair_of(left) == theirs);
  CHECK(left.find("Max-Age=0") == std::string::npos);
}

TEST_CASE("of many pools' tokens the cookie keeps those that were placed last") {
  std::string cookie;
  for (const char* name : {"p1", "p2", "p3", "p4", "p5", "p6"}) {
    AffinityRig pool("", {"a", "b", "c"}, name);
    const auto exchange = pool.select(cookie, "b");
    pool.finish(*exchange);
    cookie = AffinityRig::pair_of(exchange->response_value("set-cookie"));
  }
  CHECK(cookie.size() == std::string("limpet=").size() + 4 * (kTokenLetters + 1) - 1);
  AffinityRig kept("", {"a", "b", "c"}, "p3");
  CHECK((*kept.select(cookie))->affinity.outcome == Outcome::kHit);
  AffinityRig gone("", {"a", "b", "c"}, "p2");
  CHECK((*gone.select(cookie))->affinity.cause == Cause::kForeign);
}

TEST_CASE("a renewed cookie keeps the tokens of other pools, on a kept connection too") {
  AffinityRig shop("", {"a", "b", "c"}, "shop");
  AffinityRig rig("idle = \"1h\"");
  const std::string theirs = shop.new_cookie("b");
  const std::string other = theirs.substr(theirs.find('=') + 1);
  std::string cookie = rig.new_cookie("c") + "." + other;
  for (int i = 0; i < 3; ++i) {
    CHECK((*rig.select("x=1; " + cookie))->affinity.outcome == Outcome::kHit);
    rig.rig.advance(seconds(600));
    const auto exchange = rig.select("x=1; " + cookie);
    rig.finish(*exchange);
    const std::string renewed = AffinityRig::pair_of(exchange->response_value("set-cookie"));
    CHECK(renewed != cookie);
    CHECK(renewed.ends_with("." + other));
    cookie = renewed;
  }
}

TEST_CASE("a cookie that is not a list of tokens is one text that opens nowhere") {
  const std::string token(kTokenLetters, 'x');
  const auto count = [](const std::string& value) {
    CookieTokens tokens(value);
    std::size_t found = 0;
    while (tokens.next())
      ++found;
    return found;
  };
  CHECK(count(token) == 1);
  CHECK(count(token + "." + token) == 2);
  CHECK(count(token + "." + token + "." + token + "." + token) == 4);
  for (const std::string& odd :
       {std::string(), std::string("."), token + ".", "." + token, token + "," + token,
        token + "." + token.substr(1), token + ".." + token, token + "x." + token.substr(1),
        token + "." + token + "." + token + "." + token + "." + token}) {
    CAPTURE(odd);
    CookieTokens tokens(odd);
    CHECK(tokens.next() == odd);
    CHECK_FALSE(tokens.next());
  }
  AffinityRig rig("");
  const std::string own = rig.new_cookie("b");
  CHECK((*rig.select(own + "."))->affinity.cause == Cause::kInvalid);
  CHECK((*rig.select(own + ".a"))->affinity.cause == Cause::kInvalid);
}

}  // namespace
}  // namespace limpet::affinity
