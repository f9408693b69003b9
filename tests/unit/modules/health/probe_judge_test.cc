// SPDX-License-Identifier: Apache-2.0
#include "modules/health/probe_judge.h"

#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "daemon/base/log.h"
#include "modules/health/health.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet {
namespace {

using namespace std::chrono_literals;
using Kind = ProbeResult::Kind;

/// One replica of a pool of two and its judge.
class JudgeRig {
 public:
  explicit JudgeRig(std::string_view active, Health other = Health::kUnproven)
      : pool_(test::make_pool("web", std::vector<std::string>{"a", "b"})) {
    log::configure(log::Level::kError, log::Format::kText);
    vitals().health = Health::kUnproven;
    pool_->replicas[1].vitals->health = other;
    plan_ = std::make_unique<test::PlanRig>(
        kHealth, *pool_, "[pool.web.health]\nactive = { jitter = 0, " + std::string(active) + " }");
    REQUIRE_MESSAGE(plan_->is_valid(), plan_->mistakes());
    judge_ = (*plan_)->judge(*pool_, pool_->replicas[0]);
    REQUIRE(judge_ != nullptr);
  }
  ~JudgeRig() { log::configure(log::Level::kInfo, log::Format::kText); }
  JudgeRig(const JudgeRig&) = delete;
  JudgeRig& operator=(const JudgeRig&) = delete;

  [[nodiscard]] Vitals& vitals() { return *pool_->replicas[0].vitals; }
  [[nodiscard]] ProbeJudge& judge() { return *judge_; }

  Duration result(Kind kind, std::uint16_t status = 0, std::string_view incarnation = {}) {
    now_ += 1s;
    return judge_->on_result({kind, status, incarnation, 1ms}, now_, test::kStartWall);
  }
  /// A word of g(ood) and b(ad) results; gives the health after each: U(p), D(own), ?(unproven).
  std::string results(std::string_view word) {
    std::string after;
    for (const char c : word) {
      (void)(c == 'g' ? result(Kind::kAnswered, 200) : result(Kind::kTimeout));
      const Health health = vitals().health;
      after += health == Health::kUp ? 'U' : health == Health::kDown ? 'D' : '?';
    }
    return after;
  }
  [[nodiscard]] Instant now() const { return now_; }

 private:
  std::unique_ptr<PoolFacts> pool_;
  std::unique_ptr<test::PlanRig> plan_;
  std::unique_ptr<ProbeJudge> judge_;
  Instant now_ = test::kStartInstant;
};

TEST_CASE("rise and fall count results in a row only") {
  struct Row {
    const char* settings;
    const char* word;
    const char* after;
  };
  constexpr Row kRows[] = {
      {"rise = 2, fall = 3", "g", "U"},
      {"rise = 2, fall = 3", "b", "D"},
      {"rise = 2, fall = 3", "gbb", "UUU"},
      {"rise = 2, fall = 3", "gbbb", "UUUD"},
      {"rise = 2, fall = 3", "gbbgbbgbbg", "UUUUUUUUUU"},  // alternating never flips
      {"rise = 2, fall = 3", "bgbgbgbg", "DDDDDDDD"},
      {"rise = 2, fall = 3", "bgg", "DDU"},
      {"rise = 1, fall = 1", "gbgb", "UDUD"},
      {"rise = 3, fall = 1", "gbggbggg", "UDDDDDDU"},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.word);
    CHECK(JudgeRig(row.settings).results(row.word) == row.after);
  }
}

TEST_CASE("which results are good depends on type and status") {
  struct Row {
    const char* settings;
    Kind kind;
    std::uint16_t status;
    bool is_good;
  };
  constexpr Row kRows[] = {
      {"rise = 1", Kind::kAnswered, 200, true},
      {"rise = 1", Kind::kAnswered, 399, true},
      {"rise = 1", Kind::kAnswered, 404, false},
      {"rise = 1", Kind::kAnswered, 503, false},
      {"rise = 1", Kind::kConnected, 0, false},
      {"rise = 1", Kind::kRefused, 0, false},
      {"rise = 1", Kind::kBroken, 0, false},
      {"status = \"204,429,500-503\"", Kind::kAnswered, 200, false},
      {"status = \"204,429,500-503\"", Kind::kAnswered, 429, true},
      {"status = \"204,429,500-503\"", Kind::kAnswered, 503, true},
      {"type = \"tcp\"", Kind::kConnected, 0, true},
      {"type = \"tcp\"", Kind::kRefused, 0, false},
      {"type = \"tcp\"", Kind::kTimeout, 0, false},
      {"type = \"tcp\"", Kind::kServing, 0, false},
      {"type = \"grpc\"", Kind::kServing, 0, true},
      {"type = \"grpc\"", Kind::kNotServing, 0, false},
      {"type = \"grpc\"", Kind::kConnected, 0, false},
      {"type = \"grpc\"", Kind::kAnswered, 200, false},
      {"type = \"grpc\"", Kind::kTimeout, 0, false},
      {"rise = 1", Kind::kServing, 0, false},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.settings);
    CAPTURE(row.status);
    JudgeRig rig(row.settings);
    (void)rig.result(row.kind, row.status);
    CHECK((rig.vitals().health == Health::kUp) == row.is_good);
  }
}

TEST_CASE("probes come faster in doubt and slower to the long dead") {
  JudgeRig rig("interval = \"4s\", rise = 2, fall = 2");
  CHECK(rig.result(Kind::kAnswered, 200) == 4s);
  CHECK(rig.result(Kind::kTimeout) == 2s);  // up, one failed
  CHECK(rig.result(Kind::kAnswered, 200) == 4s);
  CHECK(rig.result(Kind::kTimeout) == 2s);
  CHECK(rig.result(Kind::kTimeout) == 4s);  // down now, no doubt
  for (int i = 0; i < 3; ++i)
    (void)rig.result(Kind::kTimeout);
  CHECK(rig.result(Kind::kTimeout) == 8s);
  for (int i = 0; i < 20; ++i)
    (void)rig.result(Kind::kTimeout);
  CHECK(rig.result(Kind::kTimeout) == 16s);
  CHECK(rig.result(Kind::kAnswered, 200) == 2s);  // down, one good
}

TEST_CASE("in doubt an interval is halved, but not below 200 ms, and never made longer") {
  JudgeRig short_one("interval = \"100ms\"");
  (void)short_one.results("g");
  CHECK(short_one.result(Kind::kTimeout) == 100ms);
  JudgeRig middle("interval = \"300ms\"");
  (void)middle.results("g");
  CHECK(middle.result(Kind::kTimeout) == 200ms);
}

TEST_CASE("jitter spreads intervals within its percentage") {
  JudgeRig rig("interval = \"10s\"");
  auto pool = test::make_pool("web", std::vector<std::string>{"a"});
  const test::PlanRig plan(kHealth, *pool,
                           "[pool.web.health]\nactive = { interval = \"10s\", jitter = 20 }");
  const auto judge = plan->judge(*pool, pool->replicas[0]);
  Duration least = 1h, most = 0s;
  for (int i = 0; i < 300; ++i) {
    const Duration delay =
        judge->on_result({Kind::kAnswered, 200, {}, 1ms}, test::kStartInstant, test::kStartWall);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  CHECK(least >= 8s);
  CHECK(least < 9s);
  CHECK(most <= 12s);
  CHECK(most > 11s);
}

TEST_CASE("what is not proven is probed at once, what is proven within its interval") {
  JudgeRig rig("interval = \"10s\"");
  CHECK(rig.judge().first_delay() <= 100ms);
  rig.vitals().health = Health::kUp;
  for (int i = 0; i < 20; ++i)
    CHECK(rig.judge().first_delay() <= 10s);
}

TEST_CASE("coming back starts slowly; the first proof at the daemon's start does not") {
  JudgeRig rig("rise = 2, fall = 1");
  (void)rig.results("g");
  CHECK(rig.vitals().ready_since_ns == 0);
  (void)rig.results("bgg");
  CHECK(rig.vitals().ready_since_ns == rig.now().time_since_epoch().count());
}

TEST_CASE("a replica that joins a pool at work starts slowly with its first proof") {
  JudgeRig rig("rise = 2", Health::kUp);
  (void)rig.results("g");
  CHECK(rig.vitals().ready_since_ns == rig.now().time_since_epoch().count());
}

TEST_CASE("a refused connect is a death, a timeout is not") {
  JudgeRig rig("rise = 2");
  (void)rig.result(Kind::kTimeout);
  CHECK(rig.vitals().last_dead_s == 0);
  (void)rig.result(Kind::kRefused);
  CHECK(rig.vitals().last_dead_s == test::kStartWall.time_since_epoch().count());
}

TEST_CASE(
    "the incarnation that a replica reports is kept as a hash, and only when it reports one") {
  JudgeRig rig("rise = 2");
  (void)rig.result(Kind::kAnswered, 200, "life-1");
  const std::uint64_t first = rig.vitals().incarnation;
  CHECK(first != 0);
  (void)rig.result(Kind::kAnswered, 200);
  CHECK(rig.vitals().incarnation == first);
  (void)rig.result(Kind::kAnswered, 200, "life-2");
  CHECK(rig.vitals().incarnation != first);
}

TEST_CASE("health that is known already survives a new judge") {
  JudgeRig rig("rise = 2, fall = 2");
  rig.vitals().health = Health::kDown;
  CHECK(rig.results("gbgb") == "DDDD");
}

TEST_CASE("after a reload a judge goes on counting where the one before it was") {
  JudgeRig before("interval = \"4s\", rise = 2, fall = 3");
  REQUIRE(before.results("gbb") == "UUU");
  JudgeRig after("interval = \"4s\", rise = 2, fall = 3");
  after.vitals().health = Health::kUp;
  CHECK(after.judge().continues(before.judge()));
  CHECK(after.results("b") == "D");
  JudgeRig faster("interval = \"1s\"");
  CHECK_FALSE(faster.judge().continues(before.judge()));
}

TEST_CASE("what to send is in the spec") {
  JudgeRig rig("path = \"/up?x=1\", host = \"app.example.org\", timeout = \"700ms\"");
  const ProbeSpec& spec = rig.judge().spec();
  CHECK(spec.type == ProbeSpec::Type::kHttp);
  CHECK(spec.path == "/up?x=1");
  CHECK(spec.host == "app.example.org");
  CHECK(spec.timeout == 700ms);

  JudgeRig grpc("type = \"grpc\", service = \"shop.Basket\"");
  CHECK(grpc.judge().spec().type == ProbeSpec::Type::kGrpc);
  CHECK(grpc.judge().spec().service == "shop.Basket");
  CHECK(JudgeRig("type = \"grpc\"").judge().spec().service.empty());
}

TEST_CASE("two specs are one when they ask for the same probe") {
  const ProbeSpec spec = JudgeRig("type = \"grpc\", service = \"a\"").judge().spec();
  CHECK(spec == JudgeRig("type = \"grpc\", service = \"a\", rise = 7").judge().spec());
  CHECK_FALSE(spec == JudgeRig("type = \"grpc\", service = \"b\"").judge().spec());
  CHECK_FALSE(spec == JudgeRig("type = \"tcp\", service = \"a\"").judge().spec());
}

}  // namespace
}  // namespace limpet
