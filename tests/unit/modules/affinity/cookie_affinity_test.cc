// SPDX-License-Identifier: Apache-2.0
// Affinity by cookie: placement, return, causes and policies, seen as a relay would see them.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "modules/affinity/token.h"
#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using std::chrono::seconds;
using test::AffinityRig;
using test::make_pool;
using test::TestExchange;
using Texts = std::vector<std::string>;

TEST_CASE("a first request is placed by balance and its response sets the cookie") {
  AffinityRig rig("");
  const auto exchange = rig.select("");
  CHECK(rig.rig.verdict() == Verdict::kNext);
  rig.finish(*exchange);
  const std::string set = exchange->response_value("set-cookie");
  CHECK(set.starts_with("limpet="));
  CHECK(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"));
  CHECK(exchange->response_value("cache-control") == "private");
  CHECK((**exchange).affinity.outcome == Outcome::kNew);
  CHECK((**exchange).affinity.cause == Cause::kNone);
  CHECK(rig.counted("new", "") == 1);
}

TEST_CASE(
    "the cookie leads back to its replica, over any connection, worker and process with the same "
    "keys") {
  AffinityRig first("");
  const std::string cookie = first.new_cookie("b");
  for (int i = 0; i < 20; ++i) {
    AffinityRig other("", {"c", "b", "a"});  // reordered, made anew
    const auto exchange = other.select(cookie);
    CHECK((*exchange)->replica->id == "b");
    CHECK((*exchange)->affinity.outcome == Outcome::kHit);
    CHECK((*exchange)->affinity.source == "cookie");
  }
}

TEST_CASE("a request with its cookie gets no new one") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  for (int i = 0; i < 3; ++i) {
    rig.rig.advance(seconds(3600));
    CHECK(rig.visit(cookie).empty());
  }
}

TEST_CASE("the replica does not see the cookie unless told to") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  CHECK(rig.select("x=1; " + cookie)->request_values("cookie") == Texts{"x=1"});
  AffinityRig open("strip = false");
  CHECK(open.select("x=1; " + cookie)->request_values("cookie") == Texts{"x=1; " + cookie});
}

TEST_CASE("the same Cookie field again on a connection means and leaves the same") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  for (const std::string& field :
       {cookie, cookie + "; x=1", "x=1; " + cookie, "x=1; " + cookie + "; x=1; y=2",
        "a=;" + cookie + ";b=", cookie + "; x=1; " + cookie, "limpet=stale; " + cookie}) {
    const auto first = rig.select(field)->request_values("cookie");
    for (int i = 0; i < 3; ++i) {
      const auto again = rig.select(field);
      CHECK((*again)->affinity.outcome == Outcome::kHit);
      CHECK((*again)->replica->id == "b");
      CHECK(again->request_values("cookie") == first);
      rig.finish(*again);
    }
    CHECK((first.empty() || first.front().find("limpet") == std::string::npos));
  }
}

TEST_CASE("a cookie that does not verify is as none, replaced, and stripped all the same") {
  AffinityRig rig("");
  std::string forged = rig.new_cookie("b");
  forged.back() = forged.back() == 'x' ? 'y' : 'x';
  for (const std::string& text :
       {forged, std::string("limpet=a"), std::string("limpet="), std::string("limpet=../../etc")}) {
    const auto exchange = rig.select(text + "; x=1", "c");
    CHECK(rig.rig.verdict() == Verdict::kNext);
    CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
    CHECK((*exchange)->affinity.cause == Cause::kInvalid);
    CHECK(exchange->request_value("cookie") == "x=1");
    rig.finish(*exchange);
    const std::string fresh = AffinityRig::pair_of(exchange->response_value("set-cookie"));
    CHECK(rig.select(fresh)->operator->()->replica->id == "c");
  }
}

TEST_CASE("an empty cookie on a connection that remembers nothing yet is not taken for a token") {
  AffinityRig rig("on_invalid = \"refuse:400\"");
  (void)rig.select("");  // makes the connection's memory
  const auto exchange = rig.select("limpet=");
  CHECK((*exchange)->answer.status == 400);
  CHECK((*exchange)->affinity.cause == Cause::kInvalid);
}

TEST_CASE("of two cookies of the name the first that verifies counts") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  CHECK((*rig.select("limpet=stale; " + cookie))->replica->id == "b");
  AffinityRig fresh("");
  const auto exchange = fresh.select("limpet=stale; " + cookie);
  CHECK((*exchange)->affinity.outcome == Outcome::kHit);
  CHECK(exchange->request_values("cookie").empty());
}

TEST_CASE("a cookie of another pool is foreign") {
  AffinityRig other("", {"a", "b", "c"}, "shop");
  const std::string cookie = other.new_cookie("b");
  AffinityRig rig("");
  CHECK((*rig.select(cookie))->affinity.cause == Cause::kForeign);
  AffinityRig strict("on_invalid = \"refuse:403\"");
  CHECK((*strict.select(cookie))->answer.status == 403);
}

TEST_CASE("a replica that left the pool is gone: a new replica, a new cookie, the loss stated") {
  AffinityRig before("");
  const std::string cookie = before.new_cookie("b");
  AffinityRig rig("show = true", {"a", "c"});
  const auto exchange = rig.select(cookie, "c");
  rig.finish(*exchange);
  CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
  CHECK((*exchange)->affinity.cause == Cause::kGone);
  CHECK(rig.counted("moved", "gone") == 1);
  CHECK(exchange->response_value("limpet-affinity-outcome") == "moved; cause=gone; replica=c");
  const std::string fresh = AffinityRig::pair_of(exchange->response_value("set-cookie"));
  CHECK((*rig.select(fresh))->replica->id == "c");
}

TEST_CASE("a refused connect means gone, any other failure of the attempt means down") {
  for (const auto& [failure, cause] : {std::pair{FailureCause::kConnectRefused, Cause::kGone},
                                       std::pair{FailureCause::kConnectTimeout, Cause::kDown}}) {
    AffinityRig rig("");
    const auto exchange = rig.select(rig.new_cookie("b"));
    exchange->failed_on(*rig.pool->find("b"), failure);
    rig.select(*exchange, "c");
    CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
    CHECK((*exchange)->affinity.cause == cause);
    rig.finish(*exchange);
    const std::string fresh = AffinityRig::pair_of(exchange->response_value("set-cookie"));
    CHECK((*rig.select(fresh))->replica->id == "c");
  }
}

TEST_CASE("a replica that is down, by its probes, ejected or by the operator, is down") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  rig.vitals("b").health = Health::kDown;
  CHECK((*rig.select(cookie))->affinity.cause == Cause::kDown);
  rig.vitals("b").health = Health::kUp;
  rig.vitals("b").ejected_until_ns = (rig.rig.now() + seconds(5)).time_since_epoch().count();
  CHECK((*rig.select(cookie))->affinity.cause == Cause::kDown);
  rig.vitals("b").ejected_until_ns = 0;
  rig.vitals("b").admin = AdminState::kDown;
  CHECK((*rig.select(cookie))->affinity.cause == Cause::kDown);
}

TEST_CASE(
    "on_down wait: the replica comes back in time, and the outcome says that it was waited for") {
  AffinityRig rig("on_down = \"wait:2s then refuse:503\"");
  const std::string cookie = rig.new_cookie("b");
  rig.vitals("b").health = Health::kDown;
  const auto exchange = rig.request();
  exchange->header("cookie", cookie);
  const Choice wait = rig.select(*exchange);
  CHECK(wait.kind == Choice::Kind::kWait);
  CHECK(wait.replica == rig.pool->find("b"));
  CHECK(wait.at_most == seconds(2));
  rig.rig.advance(seconds(1));
  CHECK(rig.select(*exchange).at_most == seconds(1));  // asked too early: waits for the rest
  rig.vitals("b").health = Health::kUp;
  CHECK(rig.select(*exchange).kind == Choice::Kind::kChosen);
  CHECK((*exchange)->affinity.outcome == Outcome::kWaited);
  CHECK((*exchange)->affinity.cause == Cause::kDown);
}

TEST_CASE("on_down wait: when the wait is over, what stands behind `then` is done") {
  AffinityRig rig("on_down = \"wait:2s then refuse:503\"");
  const std::string cookie = rig.new_cookie("b");
  rig.vitals("b").health = Health::kDown;
  const auto exchange = rig.request();
  exchange->header("cookie", cookie);
  CHECK(rig.select(*exchange).kind == Choice::Kind::kWait);
  (*exchange)->is_waiting_over = true;
  CHECK(rig.select(*exchange).kind == Choice::Kind::kAnswer);
  CHECK((*exchange)->answer.status == 503);
  CHECK((*exchange)->answer.retry_after > seconds(0));
  CHECK((*exchange)->affinity.outcome == Outcome::kRefused);
  CHECK((*exchange)->affinity.cause == Cause::kDown);
  exchange->respond(503);
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());  // the replica may come back
}

TEST_CASE(
    "nobody waits for a replica that this exchange failed on, or that the operator took down") {
  AffinityRig rig("on_down = \"wait:2s then move\"");
  const std::string cookie = rig.new_cookie("b");
  auto exchange = rig.select(cookie);
  exchange->failed_on(*rig.pool->find("b"), FailureCause::kConnectTimeout);
  CHECK(rig.select(*exchange, "c").kind == Choice::Kind::kNone);
  CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
  rig.vitals("b").admin = AdminState::kDown;
  exchange = rig.request();
  exchange->header("cookie", cookie);
  CHECK(rig.select(*exchange).kind == Choice::Kind::kNone);
}

TEST_CASE("a full replica is waited for, then left") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  rig.rig.set_limits({1, 0});
  rig.vitals("b").share(0).in_flight = 1;
  const auto exchange = rig.request();
  exchange->header("cookie", cookie);
  CHECK(rig.select(*exchange).kind == Choice::Kind::kWait);
  (*exchange)->is_waiting_over = true;
  CHECK(rig.select(*exchange, "c").kind == Choice::Kind::kNone);
  CHECK((*exchange)->affinity.cause == Cause::kFull);
  CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
}

TEST_CASE("a wait ends when the exchange is told so, and does not begin again") {
  AffinityRig rig("on_full = \"wait:2s then move\"\non_down = \"wait:1h then refuse:503\"");
  const std::string cookie = rig.new_cookie("b");
  rig.rig.set_limits({1, 0});
  rig.vitals("b").share(0).in_flight = 1;
  const auto exchange = rig.request();
  exchange->header("cookie", cookie);
  CHECK(rig.select(*exchange).at_most == seconds(2));
  rig.rig.advance(seconds(2));
  const Choice last = rig.select(*exchange);
  CHECK(last.kind == Choice::Kind::kWait);
  CHECK(last.replica == rig.pool->find("b"));
  (*exchange)->is_waiting_over = true;
  (*exchange)->waited_for = rig.pool->find("b");
  CHECK(rig.select(*exchange, "c").kind == Choice::Kind::kNone);
  (*exchange)->is_waiting_over = false;  // it queues for any replica, and is asked again there
  CHECK(rig.select(*exchange, "c").kind == Choice::Kind::kNone);
  CHECK((*exchange)->affinity.outcome == Outcome::kMoved);
  rig.vitals("b").health = Health::kDown;
  CHECK(rig.select(*exchange, "c").kind == Choice::Kind::kAnswer);
}

TEST_CASE("a draining replica keeps its sessions and gets no new cookie, or gives them away") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  rig.vitals("b").admin = AdminState::kDrain;
  const auto kept = rig.select(cookie);
  CHECK((*kept)->replica->id == "b");
  CHECK((*kept)->affinity.outcome == Outcome::kHit);
  CHECK((*kept)->affinity.cause == Cause::kDraining);
  rig.finish(*kept);
  CHECK(kept->response_values("set-cookie").empty());

  AffinityRig mover("on_draining = \"move\"");
  mover.vitals("b").admin = AdminState::kDrain;
  CHECK((*mover.select(cookie, "a"))->affinity.outcome == Outcome::kMoved);
}

TEST_CASE("a replica of weight 0 keeps its sessions") {
  AffinityRig rig("", make_pool("web", std::vector<test::ReplicaSketch>{{"a", 1, "", false},
                                                                        {"b", 0, "", false}}));
  CHECK((*rig.select(rig.new_cookie("b")))->affinity.outcome == Outcome::kHit);
}

TEST_CASE("refused for good, a client is freed of its cookie; refused for now, it keeps it") {
  AffinityRig before("");
  const std::string cookie = before.new_cookie("b");
  AffinityRig rig("on_gone = \"refuse:410\"", {"a", "c"});
  const auto exchange = rig.select(cookie);
  CHECK((*exchange)->answer.status == 410);
  exchange->respond(410);
  rig.finish(*exchange);
  CHECK(exchange->response_value("set-cookie") ==
        "limpet=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
}

TEST_CASE("idle: the cookie is renewed when its bucket advances, and expires when unused") {
  AffinityRig rig("idle = \"16m\"");
  const auto sealed = rig.visit("", "b");
  std::string cookie = AffinityRig::pair_of(sealed.front());
  int renewals = 0;
  for (int i = 0; i < 60; ++i) {  // an hour of a request a minute
    rig.rig.advance(seconds(60));
    const auto set = rig.visit(cookie);
    if (!set.empty()) {
      cookie = AffinityRig::pair_of(set.front());
      ++renewals;
    }
  }
  CHECK(renewals >= 59);
  CHECK(rig.visit(cookie).empty());  // nothing in the same bucket
  rig.rig.advance(seconds(15 * 60));
  CHECK((*rig.select(cookie))->affinity.outcome == Outcome::kHit);
  rig.rig.advance(seconds(3 * 60));
  const auto expired = rig.select(cookie, "c");
  CHECK((*expired)->affinity.outcome == Outcome::kMoved);
  CHECK((*expired)->affinity.cause == Cause::kExpired);
}

TEST_CASE("absolute: renewing does not lengthen a session's life") {
  AffinityRig rig("idle = \"1h\"\nabsolute = \"2h\"");
  std::string cookie = rig.new_cookie("b");
  for (int i = 0; i < 12; ++i) {
    rig.rig.advance(seconds(600));
    const auto exchange = rig.select(cookie);
    CHECK((*exchange)->affinity.outcome == Outcome::kHit);
    rig.finish(*exchange);
    const auto set = exchange->response_values("set-cookie");
    if (!set.empty()) cookie = AffinityRig::pair_of(set.front());
  }
  rig.rig.advance(seconds(600));
  CHECK((*rig.select(cookie))->affinity.cause == Cause::kExpired);
}

TEST_CASE("an expired cookie is replaced even where a gone replica is refused") {
  AffinityRig rig("idle = \"1h\"\non_gone = \"refuse:503\"");
  const std::string cookie = rig.new_cookie("b");
  rig.rig.advance(seconds(3 * 3600));
  CHECK((*rig.select(cookie, "c"))->affinity.outcome == Outcome::kMoved);
}

TEST_CASE("clocks may differ by the skew: a token from further in the future is invalid") {
  AffinityRig ahead("");
  ahead.rig.advance(seconds(200));
  const std::string near = ahead.new_cookie("b");
  ahead.rig.advance(seconds(200));
  const std::string far = ahead.new_cookie("b");
  AffinityRig rig("");
  CHECK((*rig.select(near))->affinity.outcome == Outcome::kHit);
  CHECK((*rig.select(far))->affinity.cause == Cause::kInvalid);
}

TEST_CASE("incarnation ignore: the id decides, whatever died in between") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  rig.vitals("b").note_death(rig.rig.wall() + seconds(10));
  rig.rig.advance(seconds(60));
  CHECK((*rig.select(cookie))->affinity.outcome == Outcome::kHit);
}

TEST_CASE(
    "incarnation strict: a token from before the last death is gone, one from the same second on "
    "is not") {
  AffinityRig rig("incarnation = \"strict\"");
  const std::string old = rig.new_cookie("b");
  rig.rig.advance(seconds(5));
  rig.vitals("b").note_death(rig.rig.wall());
  const std::string fresh = rig.new_cookie("b");  // sealed in the second of the death, after it
  CHECK((*rig.select(old))->affinity.cause == Cause::kGone);
  CHECK((*rig.select(fresh))->affinity.outcome == Outcome::kHit);
}

TEST_CASE(
    "incarnation strict: what the replica reports decides, and the header does not reach the "
    "client") {
  AffinityRig rig("incarnation = \"strict\"");
  auto exchange = rig.select("", "b");
  exchange->respond(200).response_header("limpet-incarnation", "boot-1");
  rig.finish(*exchange);
  CHECK(exchange->response_values("limpet-incarnation").empty());
  const std::string cookie = AffinityRig::pair_of(exchange->response_value("set-cookie"));
  CHECK((*rig.select(cookie))->affinity.outcome == Outcome::kHit);
  // Known to live on, a sign of death notwithstanding.
  rig.vitals("b").note_death(rig.rig.wall() + seconds(1));
  CHECK((*rig.select(cookie))->affinity.outcome == Outcome::kHit);
  exchange = rig.select("", "b");
  exchange->respond(200).response_header("limpet-incarnation", "boot-2");
  rig.finish(*exchange);
  CHECK((*rig.select(cookie))->affinity.cause == Cause::kGone);
}

TEST_CASE("the app may end a session, and its header does not reach the client") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  const auto exchange = rig.select(cookie);
  exchange->respond(200).response_header("limpet-affinity", "end");
  rig.finish(*exchange);
  CHECK(exchange->response_values("limpet-affinity").empty());
  CHECK(exchange->response_value("set-cookie") ==
        "limpet=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
  CHECK(exchange->response_value("cache-control") == "private");
}

TEST_CASE("the app may let a session move: the next request is a first one") {
  AffinityRig rig("");
  const auto exchange = rig.select(rig.new_cookie("b"));
  exchange->respond(200).response_header("limpet-affinity", "May-Move");
  rig.finish(*exchange);
  CHECK(exchange->response_value("set-cookie").find("; Max-Age=0") != std::string::npos);
}

TEST_CASE("the app may refuse affinity for a response: nothing is set, renewed or deleted") {
  AffinityRig rig("idle = \"1m\"");
  auto exchange = rig.select("");
  exchange->respond(200).response_header("limpet-affinity", "keep");
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
  CHECK((*exchange)->affinity.outcome == Outcome::kNone);
  CHECK(exchange->response_values("cache-control").empty());
  const std::string cookie = rig.new_cookie("b");
  rig.rig.advance(seconds(30));
  exchange = rig.select(cookie);
  exchange->respond(200).response_header("limpet-affinity", "keep");
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
}

TEST_CASE("azure: two cookies of one value, both read, both stripped") {
  AffinityRig rig("cookie = { name = \"ARRAffinity\" }\narr_compat = true");
  const auto set = rig.visit("", "b");
  REQUIRE(set.size() == 2);
  CHECK(set[0].starts_with("ARRAffinity="));
  CHECK(set[1].starts_with("ARRAffinitySameSite="));
  CHECK(set[1].ends_with("; Path=/; Secure; HttpOnly; SameSite=None"));
  const std::string value = AffinityRig::pair_of(set[0]).substr(12);
  CHECK(AffinityRig::pair_of(set[1]) == "ARRAffinitySameSite=" + value);
  const auto exchange = rig.select("x=1; ARRAffinity=old; ARRAffinitySameSite=" + value);
  CHECK((*exchange)->replica->id == "b");
  CHECK(exchange->request_value("cookie") == "x=1");
}

TEST_CASE("azure: the app's Arr-Disable-Session-Affinity is obeyed and taken out") {
  AffinityRig rig("arr_compat = true");
  const auto exchange = rig.select("");
  exchange->respond(200).response_header("arr-disable-session-affinity", "True");
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
  CHECK(exchange->response_values("arr-disable-session-affinity").empty());
}

TEST_CASE("Secure follows the client's side") {
  AffinityRig rig("");
  rig.client.is_secure = true;
  CHECK(rig.visit("").front().find("; Secure") != std::string::npos);
}

TEST_CASE("a trusted proxy's word on https makes the cookie Secure, anybody else's does not") {
  for (const bool is_trusted : {true, false}) {
    AffinityRig rig("");
    rig.client.is_trusted = is_trusted;
    const auto exchange = rig.request();
    exchange->header("x-forwarded-proto", "HTTPS, http");
    rig.select(*exchange);
    rig.finish(*exchange);
    CHECK((exchange->response_value("set-cookie").find("; Secure") != std::string::npos) ==
          is_trusted);
  }
}

TEST_CASE(
    "limpet's own answers set no cookie, and a request that was never placed has no outcome") {
  AffinityRig rig("");
  const auto exchange = rig.select("");
  (*exchange)->replica = nullptr;
  (*exchange)->answer.status = 503;
  exchange->respond(503);
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
  CHECK((*exchange)->affinity.outcome == Outcome::kNone);
}

TEST_CASE("an informational response is left alone, the final one gets the cookie") {
  AffinityRig rig("");
  const auto exchange = rig.select("");
  exchange->respond(103);
  rig.rig.response(*exchange);
  CHECK(exchange->response_values("set-cookie").empty());
  exchange->respond(101);
  rig.finish(*exchange);
  CHECK(exchange->response_values("set-cookie").size() == 1);
}

TEST_CASE("affinity that is off asks for no phase") {
  AffinityRig rig("from = []");
  for (const Phase phase :
       {Phase::kRequest, Phase::kSelect, Phase::kFailure, Phase::kResponse, Phase::kDone}) {
    CHECK_FALSE(rig.plan->wants(phase));
  }
}

TEST_CASE("a burst of first requests on one connection goes to one replica with one cookie") {
  AffinityRig rig("");
  std::vector<std::unique_ptr<TestExchange>> burst;
  for (const std::string_view pick : {"b", "a", "c", "a", "c"})
    burst.push_back(rig.select("", pick));
  for (const auto& exchange : burst)
    CHECK((*exchange)->replica->id == "b");
  Texts cookies;
  for (const std::size_t i : {2U, 0U, 1U, 4U, 3U}) {  // answered in any order
    rig.finish(*burst[i]);
    cookies.push_back(burst[i]->response_value("set-cookie"));
  }
  for (const std::string& cookie : cookies)
    CHECK(cookie == cookies.front());
  CHECK(rig.vitals("b").sessions(0, UINT32_MAX) == 1);
}

TEST_CASE("after the first cookie was sent, a request without one is placed by itself") {
  AffinityRig rig("");
  (void)rig.visit("", "b");
  const auto exchange = rig.select("", "c");
  CHECK((*exchange)->replica->id == "c");
}

TEST_CASE("a burst whose leader failed goes on without it") {
  AffinityRig rig("");
  auto leader = rig.select("", "b");
  const auto second = rig.select("", "a");
  CHECK((*second)->replica->id == "b");
  leader->failed_on(*rig.pool->find("b"), FailureCause::kConnectRefused);
  rig.rig.done(*leader);
  leader.reset();
  CHECK((*rig.select("", "c"))->replica->id == "c");
}

TEST_CASE("connections of trusted proxies, which carry many clients, have no bursts") {
  AffinityRig rig("");
  rig.client.is_trusted = true;
  const auto one = rig.select("", "b");
  CHECK((*rig.select("", "a"))->replica->id == "a");
}

TEST_CASE("a reload forgets what the old plan remembered of a connection") {
  AffinityRig old("");
  const std::string cookie = old.new_cookie("b");
  AffinityRig fresh("", {"b", "x"});
  fresh.client.notes = std::move(old.client.notes);
  const auto exchange = std::make_unique<TestExchange>(fresh.client, fresh.pool.get());
  exchange->header("cookie", cookie);
  fresh.select(*exchange);
  CHECK((*exchange)->replica == fresh.pool->find("b"));
}

TEST_CASE("live sessions are counted: placed, renewed, moved, ended") {
  AffinityRig rig("idle = \"16m\"");
  const auto live = [&](std::string_view id) {
    const std::uint32_t now = session_bucket(rig.rig.wall());
    return rig.vitals(id).sessions(now - kLiveSessionBuckets, now);
  };
  std::string cookie = rig.new_cookie("b");
  CHECK(live("b") == 1);
  rig.rig.advance(seconds(600));
  cookie = AffinityRig::pair_of(rig.visit(cookie).front());
  CHECK(live("b") == 1);
  rig.vitals("b").admin = AdminState::kDown;
  cookie = AffinityRig::pair_of(rig.visit(cookie, "c").front());
  CHECK(live("b") == 0);
  CHECK(live("c") == 1);
  const auto exchange = rig.select(cookie);
  exchange->respond(200).response_header("limpet-affinity", "end");
  rig.finish(*exchange);
  CHECK(live("c") == 0);
}

TEST_CASE("a session whose token is not sealed anew is known to live while it is used") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  rig.rig.advance(kSessionBucket * (static_cast<int>(kLiveSessionBuckets) + 1));
  const std::uint32_t now = session_bucket(rig.rig.wall());
  CHECK(rig.vitals("b").live_sessions(now) == 0);
  rig.vitals("b").admin = AdminState::kDrain;
  CHECK(rig.visit(cookie).empty());
  CHECK(rig.vitals("b").live_sessions(now) == 1);
  CHECK(rig.vitals("a").live_sessions(now) == 0);
}

TEST_CASE("the end of a session older than the ledger reaches leaves newer counts alone") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  rig.rig.advance(kSessionBucket * static_cast<int>(SessionLedger::kBuckets));
  (void)rig.new_cookie("b");  // in the cell of the first
  rig.vitals("b").health = Health::kDown;
  (void)rig.visit(cookie, "c");
  const std::uint32_t now = session_bucket(rig.rig.wall());
  CHECK(rig.vitals("b").sessions(now, now) == 1);
}

}  // namespace
}  // namespace limpet::affinity
