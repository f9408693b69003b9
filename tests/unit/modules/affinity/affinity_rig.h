// SPDX-License-Identifier: Apache-2.0
#pragma once
// Affinity rig: a pool "web" of replicas a, b, c with an affinity plan read from TOML, and the
// steps that a relay would take with one request. Every rig of one process shares its keys, as
// instances with one key file do.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <stdlib.h>

#include "modules/affinity/affinity.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet::test {

/// A folder that is removed with all that is in it.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "limpet-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

inline const std::string& shared_state_dir() {
  static const TempDir kDir;
  return kDir.path();
}

class AffinityRig {
 public:
  /// `lines` stand under [pool.NAME.affinity].
  explicit AffinityRig(std::string_view lines, std::vector<std::string> ids = {"a", "b", "c"},
                       std::string name = "web")
      : AffinityRig(lines, make_pool(name, ids)) {}
  AffinityRig(std::string_view lines, std::unique_ptr<PoolFacts> facts)
      : pool(std::move(facts)),
        plan(kAffinity, *pool, "[pool." + pool->name + ".affinity]\n" + std::string(lines),
             shared_state_dir()),
        rig(*pool, *plan) {}

  /// A request with these cookies, through select; where affinity leaves it open, balance picks
  /// `pick`.
  std::unique_ptr<TestExchange> select(std::string_view cookies, std::string_view pick = "a") {
    auto exchange = request();
    if (!cookies.empty()) exchange->header("cookie", cookies);
    select(*exchange, pick);
    return exchange;
  }
  std::unique_ptr<TestExchange> request() {
    return std::make_unique<TestExchange>(client, pool.get());
  }
  Choice select(TestExchange& exchange, std::string_view pick = "a") {
    const Choice choice = rig.select(exchange);
    if (rig.verdict() == Verdict::kNext) exchange->replica = pool->find(pick);
    return choice;
  }
  /// A whole exchange answered 200; gives the Set-Cookie values.
  std::vector<std::string> visit(std::string_view cookies, std::string_view pick = "a") {
    const auto exchange = select(cookies, pick);
    finish(*exchange);
    return exchange->response_values("set-cookie");
  }
  void finish(TestExchange& exchange) {
    if (exchange->response == nullptr) exchange.respond(200);
    rig.response(exchange);
    rig.done(exchange);
  }
  /// The cookie of a first visit that balance puts on `pick`, as "name=value".
  std::string new_cookie(std::string_view pick = "a") {
    const auto set = visit({}, pick);
    return set.empty() ? std::string() : pair_of(set.front());
  }
  [[nodiscard]] static std::string pair_of(const std::string& set_cookie) {
    return set_cookie.substr(0, set_cookie.find(';'));
  }
  Vitals& vitals(std::string_view id) { return *pool->find(id)->vitals; }
  std::uint64_t counted(std::string_view outcome, std::string_view cause) {
    return rig.metrics()
        .counter("limpet_affinity_total", {{"pool", pool->name},
                                           {"outcome", std::string(outcome)},
                                           {"cause", std::string(cause)}})
        .value();
  }

  std::unique_ptr<PoolFacts> pool;
  PlanRig plan;
  ModuleRig rig;
  ClientFacts client;
};

}  // namespace limpet::test
