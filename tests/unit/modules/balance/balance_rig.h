// SPDX-License-Identifier: Apache-2.0
#pragma once
// Balance rig: a pool, a plan read from TOML and the module, and the questions that the tests of
// balance ask over and over: who is picked, how often. Neighbour: tests/support/exchange_fixture.h.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "modules/balance/balance.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet::test {

/// One pool under balance in one worker.
class BalanceRig {
 public:
  /// `toml` is the inside of [pool.web.balance]. `revisions` as in PoolFacts.
  BalanceRig(const std::vector<ReplicaSketch>& sketches, std::string_view toml,
             std::vector<std::pair<std::string, std::uint32_t>> revisions = {})
      : pool_(make_pool("web", sketches)) {
    pool_->revisions = std::move(revisions);
    plan_ = std::make_unique<PlanRig>(kBalance, *pool_, "[pool.web.balance]\n" + std::string(toml));
    REQUIRE_MESSAGE(plan_->is_valid(), plan_->mistakes());
    rig_ = std::make_unique<ModuleRig>(*pool_, **plan_);
    rig_->worker().random = Random(2026);  // the same chances in every run
  }

  [[nodiscard]] Vitals& vitals(std::size_t index) { return *pool_->replicas[index].vitals; }
  [[nodiscard]] const Replica& replica(std::size_t index) const { return pool_->replicas[index]; }
  [[nodiscard]] ModuleRig& module() { return *rig_; }
  [[nodiscard]] ClientFacts& client() { return client_; }
  [[nodiscard]] const PoolFacts* pool() const { return pool_.get(); }

  void load(std::size_t index, std::uint32_t in_flight) {
    vitals(index).share(0).in_flight = in_flight;
  }
  void take_down(std::size_t index) { vitals(index).health = Health::kDown; }

  /// The id picked for a plain request, "wait", or the detail of the refusal.
  std::string pick() {
    TestExchange exchange(client_, pool_.get());
    return pick(exchange);
  }
  std::string pick(TestExchange& exchange) {
    const Choice choice = rig_->select(exchange);
    std::string picked;
    switch (choice.kind) {
      case Choice::Kind::kChosen:
        picked = choice.replica->id;
        break;
      case Choice::Kind::kWait:
        picked = "wait";
        break;
      case Choice::Kind::kAnswer:
        picked = exchange->answer.detail;
        break;
      case Choice::Kind::kNone:
        picked = "nobody";
        break;
    }
    return picked;
  }
  /// How often each is picked in `rounds` requests, each done before the next.
  std::map<std::string, int> picks(int rounds) {
    std::map<std::string, int> counts;
    for (int i = 0; i < rounds; ++i) {
      TestExchange exchange(client_, pool_.get());
      ++counts[pick(exchange)];
      rig_->done(exchange);
    }
    return counts;
  }

 private:
  std::unique_ptr<PoolFacts> pool_;
  std::unique_ptr<PlanRig> plan_;
  std::unique_ptr<ModuleRig> rig_;
  ClientFacts client_;
};

}  // namespace limpet::test
