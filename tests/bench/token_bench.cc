// SPDX-License-Identifier: Apache-2.0
// What affinity costs a request: nanoseconds per sealed token, per opened token, per forged one,
// and per request whose connection remembers its cookie (the whole of select: find, compare, judge,
// choose, strip). The goal is below 1,000 each.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modules/affinity/affinity_module.h"
#include "modules/affinity/affinity_plan.h"
#include "modules/affinity/token.h"
#include "tests/support/exchange_fixture.h"

namespace limpet::affinity {
namespace {

constexpr int kRounds = 7;

/// The median of some rounds, in nanoseconds per call.
double measure(int calls, const std::function<void()>& call) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i)
      call();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    rounds.push_back(took.count() / calls);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[kRounds / 2];
}

AffinitySettings settings_for(const PoolFacts& pool) {
  AffinitySettings settings;
  settings.pool_name = pool.name;
  settings.sources.push_back(parse_source("cookie").value());
  CookieAttributes cookie;
  cookie.name = "limpet";
  settings.cookie.emplace(cookie, std::nullopt);
  settings.rules.pool = pool_mark(pool.name);
  settings.keys = KeyRing::read_or_make({}).value();
  return settings;
}

void bench_token(const AffinitySettings& settings, int calls) {
  TokenBox box(settings.keys->keys());
  TokenFacts facts;
  std::string token(kTokenLetters, '\0');
  std::printf("seal      %7.0f ns\n",
              measure(calls, [&] { (void)box.seal(facts, Purpose::kCookie, {}, token.data()); }));
  std::printf("open      %7.0f ns\n",
              measure(calls, [&] { (void)box.open(token, Purpose::kCookie, {}, facts); }));
  std::string forged = token;
  std::swap(forged[40], forged[41]);
  std::printf("forged    %7.0f ns\n",
              measure(calls, [&] { (void)box.open(forged, Purpose::kCookie, {}, facts); }));
}

// One request on a kept connection, with and without affinity: the difference is the hit.
void bench_hit(const AffinitySettings& settings, const PoolFacts& pool, int calls) {
  const AffinityPlan plan(settings);
  test::ModuleRig rig(pool, plan);
  ClientFacts client;
  test::TestExchange first(client, &pool);
  (void)rig.select(first);
  first->replica = &pool.replicas[1];
  first.respond(200);
  rig.response(first);
  rig.done(first);
  const std::string set = first.response_value("set-cookie");
  const std::string cookies = "theme=dark; " + set.substr(0, set.find(';'));

  Arena arena;
  const auto request = [&](auto&& use, auto&& finish) {
    arena.reset();
    RequestHead head(arena);
    head.fields.add(FieldName::kHost, "example.org");
    head.fields.add(FieldName::kUserAgent, "bench");
    head.fields.add(FieldName::kCookie, cookies);
    Exchange exchange(arena, client, head);
    exchange.pool = &pool;
    Candidates candidates(pool, exchange, ReplicaLimits{}, rig.now(), false);
    ResponseHead answer(arena);
    answer.status = 200;
    use(exchange, candidates);
    exchange.response = &answer;
    exchange.replica = candidates.choice().replica;
    finish(exchange);
  };
  const double without =
      measure(calls, [&] { request([](Exchange&, Candidates&) {}, [](Exchange&) {}); });
  int hits = 0;
  const double with = measure(calls, [&] {
    request(
        [&](Exchange& exchange, Candidates& candidates) {
          (void)rig.module().on_select(exchange, candidates);
          hits += exchange.affinity.outcome == Outcome::kHit ? 1 : 0;
        },
        [&](Exchange& exchange) {
          (void)rig.module().on_response(exchange);
          rig.module().on_done(exchange);
        });
  });
  if (hits != calls * kRounds) std::printf("error: %d of %d were hits\n", hits, calls * kRounds);
  std::printf("memo hit  %7.0f ns\n", with - without);
}

}  // namespace
}  // namespace limpet::affinity

int main(int count, char** words) {
  const int calls = count > 1 ? std::atoi(words[1]) : 200'000;
  const auto pool = limpet::test::make_pool("web", std::vector<std::string>{"a", "b", "c"});
  const limpet::affinity::AffinitySettings settings = limpet::affinity::settings_for(*pool);
  limpet::affinity::bench_token(settings, calls);
  limpet::affinity::bench_hit(settings, *pool, calls);
}
