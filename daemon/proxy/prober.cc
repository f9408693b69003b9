// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/prober.h"

#include <utility>

#include "daemon/proxy/probe.h"

namespace limpet {

namespace {

// The first plan of the chain that probes.
std::unique_ptr<ProbeJudge> judge_for(const PoolPlan& pool, const Replica& replica) {
  for (const ChainLink& link : pool.chain) {
    if (auto judge = link.plan->judge(pool.facts, replica)) return judge;
  }
  return nullptr;
}

}  // namespace

Prober::Prober(Loop& loop, MetricSet& metrics) : loop_(loop), metrics_(metrics) {}

Prober::~Prober() = default;

void Prober::adopt(const std::shared_ptr<const Snapshot>& snapshot) {
  const std::shared_ptr<const Snapshot> before = std::exchange(snapshot_, snapshot);
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Probe>> kept;
  for (const auto& pool : snapshot_->pools) {
    for (const Replica& replica : pool->facts.replicas) {
      auto judge = judge_for(*pool, replica);
      if (judge == nullptr) continue;
      auto& place = kept[{pool->facts.name, replica.id}];
      auto known = probes_.extract({pool->facts.name, replica.id});
      const bool is_same_life = known && known.mapped()->subject().address == replica.address &&
                                known.mapped()->subject().vitals == replica.vitals;
      if (is_same_life) {
        place = std::move(known.mapped());
        place->follow(std::move(judge), pool->reach);
        continue;
      }
      if (known) probes_.insert(std::move(known));  // to be buried below
      place = std::make_unique<Probe>(
          loop_, metrics_,
          ProbeSubject{pool->facts.name, replica.id, replica.address, replica.vitals, pool->reach},
          std::move(judge), [this] {
            if (told_) told_();
          });
    }
  }
  probes_.swap(kept);
  for (auto& [key, probe] : kept) {
    probe->stop();
    loop_.bury(std::move(probe));
  }
}

}  // namespace limpet
