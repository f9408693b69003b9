// SPDX-License-Identifier: Apache-2.0
#include "daemon/crew.h"

#include <algorithm>
#include <utility>

#include "daemon/signals.h"

namespace limpet {

namespace {

// Descriptors for everything that is no client and no replica.
constexpr std::uint64_t kDescriptorsOfOurOwn = 128;
// With fewer descriptors than that it serves a few clients all the same, as long as they last.
constexpr std::uint64_t kClientsAtLeast = 16;

}  // namespace

std::uint64_t clients_for(std::uint64_t descriptors) noexcept {
  const std::uint64_t own = std::min(descriptors, kDescriptorsOfOurOwn);
  return std::max((descriptors - own) / 2, kClientsAtLeast);
}

void Crew::start(const CrewPlan& plan) {
  const SignalsBlocked blocked;
  const std::uint64_t share = (plan.connections_max + plan.workers - 1) / plan.workers;
  const auto census = std::make_shared<ClientCensus>();
  for (std::size_t i = 0; i < plan.workers; ++i) {
    WorkerSetup setup;
    setup.index = i;
    setup.count = plan.workers;
    setup.cpu = i < plan.cores.size() ? plan.cores[i] : -1;
    setup.connections_max = share;
    setup.census = census;
    workers_.push_back(std::make_unique<Worker>(setup));
    workers_.back()->start();
  }
}

// A worker calls it from its thread; the last of them has `done` run in ours.
std::function<void()> Crew::count_down(std::function<void()> done) {
  auto left = std::make_shared<std::size_t>(workers_.size());
  auto letter = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  return [this, letter = std::move(letter)] { mailbox_.post(letter); };
}

void Crew::adopt(const std::shared_ptr<const Snapshot>& snapshot,
                 std::vector<std::vector<WorkerSocket>> sockets, LineWriter* access_log,
                 std::function<void()> done) {
  const std::function<void()> adopted = count_down(std::move(done));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->adopt({snapshot, std::move(sockets[i]), access_log}, adopted);
  }
}

void Crew::drain(Instant deadline, std::function<void()> done) {
  const std::function<void()> drained = count_down(std::move(done));
  for (const auto& worker : workers_)
    worker->drain(deadline, drained);
}

void Crew::ping() {
  for (const auto& worker : workers_)
    worker->ping();
}

std::vector<std::size_t> Crew::take_hung() {
  std::vector<std::size_t> hung;
  turns_.resize(workers_.size(), 0);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const std::uint64_t turns = workers_[i]->turns();
    if (std::exchange(turns_[i], turns) == turns) hung.push_back(i);
  }
  return hung;
}

std::vector<control::WorkerFacts> Crew::facts() const {
  std::vector<control::WorkerFacts> facts;
  for (const auto& worker : workers_) {
    facts.push_back({worker->connections(), worker->busy_ratio()});
  }
  return facts;
}

void Crew::list_metrics(std::vector<const MetricSet*>& out) const {
  for (const auto& worker : workers_)
    out.push_back(&worker->metrics());
}

}  // namespace limpet
