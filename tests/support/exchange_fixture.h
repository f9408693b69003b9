// SPDX-License-Identifier: Apache-2.0
#pragma once
// Exchange fixture: what a module needs to be tested without a socket: a pool with vitals, a worker
// with a clock that stands still, a client connection, exchanges. ModuleRig joins them and asks a
// module phase by phase. Not a relay: it neither retries nor waits; a test says what happened.
// Reading a plan from TOML: plan_fixture.h.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/arena.h"
#include "daemon/base/clock.h"
#include "daemon/http/message.h"
#include "daemon/metrics/counter.h"
#include "daemon/module/candidates.h"
#include "daemon/module/exchange.h"
#include "daemon/module/module.h"
#include "daemon/module/pool.h"
#include "daemon/module/worker_services.h"

namespace limpet::test {

inline constexpr std::size_t kWorkers = 2;
/// The wall clock of every rig at its start: a moment in 2026.
inline constexpr WallSeconds kStartWall{std::chrono::seconds(1'780'000'000)};
inline constexpr Instant kStartInstant{std::chrono::hours(100)};

/// One replica as a test writes it.
struct ReplicaSketch {
  std::string id;
  std::uint32_t weight = 1;
  std::string revision{};
  bool is_backup = false;
};

/// A pool whose replicas are all up and ready, with addresses 127.0.0.1:9001 and so on.
[[nodiscard]] inline std::unique_ptr<PoolFacts> make_pool(
    std::string name, const std::vector<ReplicaSketch>& sketches) {
  auto pool = std::make_unique<PoolFacts>();
  pool->name = std::move(name);
  pool->replicas.reserve(sketches.size());
  for (const ReplicaSketch& sketch : sketches) {
    Replica replica;
    replica.id = sketch.id;
    replica.index = static_cast<std::uint32_t>(pool->replicas.size());
    replica.address_text = "127.0.0.1:" + std::to_string(9001 + replica.index);
    replica.weight = sketch.weight;
    replica.revision = sketch.revision;
    replica.is_backup = sketch.is_backup;
    replica.vitals = std::make_shared<Vitals>(kWorkers);
    replica.vitals->health = Health::kUp;
    pool->replicas.push_back(std::move(replica));
  }
  for (const Replica& replica : pool->replicas)
    pool->index_by_id.emplace(replica.id, replica.index);
  return pool;
}

/// A pool of replicas named so.
[[nodiscard]] inline std::unique_ptr<PoolFacts> make_pool(std::string name,
                                                          const std::vector<std::string>& ids) {
  std::vector<ReplicaSketch> sketches;
  for (const std::string& id : ids)
    sketches.push_back({id, 1, {}, false});
  return make_pool(std::move(name), sketches);
}

/// One request and, later, its response.
/// Borrows: the client's connection. Owns: the arena and everything in it.
class TestExchange {
 public:
  TestExchange(ClientFacts& client, const PoolFacts* pool)
      : arena_(std::make_unique<Arena>()), request_(*arena_), exchange_(*arena_, client, request_) {
    exchange_.pool = pool;
    method("GET");
    target("/");
  }
  TestExchange(const TestExchange&) = delete;
  TestExchange& operator=(const TestExchange&) = delete;

  TestExchange& method(std::string_view text) {
    constexpr std::pair<std::string_view, Method> kMethods[] = {
        {"GET", Method::kGet},         {"HEAD", Method::kHead},     {"POST", Method::kPost},
        {"PUT", Method::kPut},         {"DELETE", Method::kDelete}, {"CONNECT", Method::kConnect},
        {"OPTIONS", Method::kOptions}, {"TRACE", Method::kTrace},   {"PATCH", Method::kPatch}};
    request_.method = Method::kOther;
    request_.method_text = arena_->copy(text);
    for (const auto& [word, meaning] : kMethods) {
      if (word == text) request_.method = meaning;
    }
    return *this;
  }
  /// "/path?query"
  TestExchange& target(std::string_view text) {
    request_.target = arena_->copy(text);
    const std::size_t mark = request_.target.find('?');
    request_.path = request_.target.substr(0, mark);
    request_.query =
        mark == std::string_view::npos ? std::string_view{} : request_.target.substr(mark + 1);
    return *this;
  }
  /// Adds a request field; the name in lower case.
  TestExchange& header(std::string_view name, std::string_view value) {
    request_.fields.add(known_name(name), arena_->copy(name), arena_->copy(value));
    return *this;
  }
  /// Starts the response head, the replica's or limpet's own.
  TestExchange& respond(std::uint16_t status) {
    response_ = arena_->make<ResponseHead>(*arena_);
    response_->status = status;
    exchange_.response = response_;
    exchange_.status = status;
    return *this;
  }
  /// Adds a response field; the name in lower case. After respond().
  TestExchange& response_header(std::string_view name, std::string_view value) {
    response_->fields.add(known_name(name), arena_->copy(name), arena_->copy(value));
    return *this;
  }
  /// Notes a failed attempt, as the relay does before it asks select again.
  TestExchange& failed_on(const Replica& replica, FailureCause cause) {
    exchange_.attempts[exchange_.attempts_count++] = Attempt{&replica, cause, false, Duration{0}};
    exchange_.replica = nullptr;
    return *this;
  }

  [[nodiscard]] Exchange& operator*() noexcept { return exchange_; }
  [[nodiscard]] Exchange* operator->() noexcept { return &exchange_; }
  [[nodiscard]] Arena& arena() noexcept { return *arena_; }

  /// Every value of a field that is still there, in order.
  [[nodiscard]] static std::vector<std::string> values(const HeaderList& fields,
                                                       std::string_view name) {
    std::vector<std::string> found;
    for (const Field& field : fields.fields()) {
      if (!field.is_removed() && field.name() == name) found.emplace_back(field.value());
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> request_values(std::string_view name) const {
    return values(request_.fields, name);
  }
  [[nodiscard]] std::vector<std::string> response_values(std::string_view name) const {
    return response_ == nullptr ? std::vector<std::string>{} : values(response_->fields, name);
  }
  /// The only value of a response field, or a text that no test expects.
  [[nodiscard]] std::string response_value(std::string_view name) const {
    const auto found = response_values(name);
    return found.size() == 1 ? found.front() : "(" + std::to_string(found.size()) + " values)";
  }
  [[nodiscard]] std::string request_value(std::string_view name) const {
    const auto found = request_values(name);
    return found.size() == 1 ? found.front() : "(" + std::to_string(found.size()) + " values)";
  }

 private:
  std::unique_ptr<Arena> arena_;
  RequestHead request_;
  ResponseHead* response_ = nullptr;
  Exchange exchange_;
};

/// One worker with one pool and one module in it.
/// Borrows: the pool and the plan.
class ModuleRig {
 public:
  ModuleRig(const PoolFacts& pool, const ModulePlan& plan, std::size_t worker = 0)
      : pool_(pool), plan_(plan), worker_(worker, metrics_, nullptr) {
    set_time(kStartInstant, kStartWall);
    module_ = plan.start(ModuleServices{worker_, &pool, 0});
  }

  /// Both clocks move on.
  void advance(std::chrono::seconds by) { set_time(now_ + by, wall_ + by); }
  void set_time(Instant now, WallSeconds wall) {
    now_ = now;
    wall_ = wall;
    worker_.set_now(now, wall);
  }
  /// Percent-of-replicas rules are the relay's; a test says whether the pool panics.
  void set_panicking(bool is_panicking) noexcept { is_panicking_ = is_panicking; }

  void request(TestExchange& exchange) { (void)module_->on_request(*exchange); }
  /// Asks select; limits are the plan's, or those of set_limits(). The relay's part is played: a
  /// chosen replica becomes exchange->replica.
  Choice select(TestExchange& exchange) {
    Candidates candidates(pool_, *exchange,
                          limits_ ? *limits_ : plan_.limits().value_or(ReplicaLimits{}), now_,
                          is_panicking_);
    verdict_ = module_->on_select(*exchange, candidates);
    if (candidates.choice().kind == Choice::Kind::kChosen)
      exchange->replica = candidates.choice().replica;
    return candidates.choice();
  }
  Verdict fail(TestExchange& exchange, const Failure& failure) {
    return module_->on_failure(*exchange, failure);
  }
  void response(TestExchange& exchange) { (void)module_->on_response(*exchange); }
  void done(TestExchange& exchange) { module_->on_done(*exchange); }

  void set_limits(ReplicaLimits limits) { limits_ = limits; }
  /// What the last select() answered besides the choice.
  [[nodiscard]] Verdict verdict() const noexcept { return verdict_; }
  [[nodiscard]] Module& module() noexcept { return *module_; }
  [[nodiscard]] WorkerServices& worker() noexcept { return worker_; }
  [[nodiscard]] MetricSet& metrics() noexcept { return metrics_; }
  [[nodiscard]] const PoolFacts& pool() const noexcept { return pool_; }
  [[nodiscard]] WallSeconds wall() const noexcept { return wall_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }

 private:
  const PoolFacts& pool_;
  const ModulePlan& plan_;
  MetricSet metrics_;
  WorkerServices worker_;
  std::optional<ReplicaLimits> limits_;
  Instant now_{};
  WallSeconds wall_{};
  bool is_panicking_ = false;
  Verdict verdict_ = Verdict::kNext;
  std::unique_ptr<Module> module_;
};

}  // namespace limpet::test
