// SPDX-License-Identifier: Apache-2.0
#pragma once
// FakeProcess: a daemon with two pools and no worker, for tests of admin and control.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/control/process.h"

namespace limpet::test {

/// A plan that explains cookies and decides nothing.
class ExplainingPlan final : public ModulePlan {
 public:
  bool wants(Phase) const noexcept override { return false; }
  std::unique_ptr<Module> start(const ModuleServices&) const override { return nullptr; }
  void explain(const ExplainQuestion& question, const PoolFacts&,
               ExplainAnswer& answer) const override {
    if (question.kind != "cookie") return;
    answer.is_answered = true;
    answer.rule = "cookie " + std::string(question.name);
    answer.verdict = "hit";
    answer.replica = std::string(question.value);
    answer.notes = {"sealed a minute ago"};
  }
};

/// Pools web (a, b, x) and mcp (a, c, x); a is one server, x are two.
class FakeProcess final : public control::Process {
 public:
  FakeProcess() {
    auto built = std::make_shared<Snapshot>();
    built->revision = 7;
    add_pool(*built, "web", {"a", "b", "x"});
    add_pool(*built, "mcp", {"a", "c", "x"});
    snapshot_ = std::move(built);
    facts_.stage = control::ProcessFacts::Stage::kReady;
    facts_.config_file = "limpet.toml";
    facts_.workers = {{3, 0.25}, {4, 0.5}};
    facts_.started_at = WallSeconds(std::chrono::seconds(1'000'000));
  }

  std::shared_ptr<const Snapshot> snapshot() const override { return snapshot_; }
  control::ProcessFacts facts() const override { return facts_; }
  std::vector<const MetricSet*> metric_sets() const override { return {&metrics}; }
  Instant now() const override { return Instant(clock); }
  WallSeconds wall_now() const override { return WallSeconds(std::chrono::seconds(1'000'100)); }
  void reload(std::function<void(const control::Outcome&)> done) override {
    pending_reload = std::move(done);
  }
  void set_affinity(const std::string& pool, RuntimeWishes::Affinity wish,
                    std::function<void(const control::Outcome&)> done) override {
    wished = {pool, wish};
    done(affinity_outcome);
  }
  std::string affinity_toml(const std::string& pool, RuntimeWishes::Affinity) const override {
    return "[pool." + pool + ".affinity]\nfrom = []\n";
  }
  std::string dump(std::string_view path) const override {
    return path == "pool.web" || path.empty() ? "[pool.web]\n" : "";
  }
  void wake_workers() override { ++wakes; }

  Vitals& vitals(std::size_t pool, std::size_t replica) const {
    return *snapshot_->pools[pool]->facts.replicas[replica].vitals;
  }

  /// Gives the replica one live session.
  void add_session(std::size_t pool, std::size_t replica) const {
    vitals(pool, replica).share(0).sessions.add(session_bucket(wall_now()), 1);
  }

  MetricSet metrics;
  control::ProcessFacts facts_;
  control::Outcome affinity_outcome{true, 8, {}};
  std::function<void(const control::Outcome&)> pending_reload;
  std::pair<std::string, RuntimeWishes::Affinity> wished;
  Duration clock = std::chrono::hours(1);
  int wakes = 0;

 private:
  static void add_pool(Snapshot& into, const std::string& name,
                       const std::vector<std::string>& ids) {
    auto pool = std::make_unique<PoolPlan>();
    pool->facts.name = name;
    for (const std::string& id : ids) {
      Replica replica;
      replica.id = id;
      replica.index = static_cast<std::uint32_t>(pool->facts.replicas.size());
      const std::string host = id == "x" && name == "web" ? "10.0.0.2" : "10.0.0.1";
      replica.address_text = host + ":80";
      replica.address = Address::parse(replica.address_text).value();
      replica.vitals = std::make_shared<Vitals>(2);
      replica.vitals->health = Health::kUp;
      pool->facts.replicas.push_back(replica);
    }
    for (const Replica& replica : pool->facts.replicas) {
      pool->facts.index_by_id.emplace(replica.id, replica.index);
    }
    pool->chain.push_back({"affinity", std::make_unique<ExplainingPlan>()});
    into.pools.push_back(std::move(pool));
  }

  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace limpet::test
