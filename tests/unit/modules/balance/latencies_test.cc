// SPDX-License-Identifier: Apache-2.0
#include "modules/balance/latencies.h"

#include <doctest/doctest.h>

#include "tests/support/exchange_fixture.h"

namespace limpet::balance {
namespace {

using namespace std::chrono_literals;

/// One replica and a clock that is moved by hand.
struct Rig {
  void answer(Duration took, Sampled how = Sampled::kGood) {
    latencies.note(replica(), took, how, now);
  }
  /// How long nothing has to be heard until the average is trusted for no more than `us`.
  [[nodiscard]] std::chrono::seconds silence_until(std::uint32_t us) const {
    std::chrono::seconds silence{};
    while (silence < 1000s && latencies.trusted_us(replica(), now + silence) > us)
      silence += 1s;
    return silence;
  }
  [[nodiscard]] const Replica& replica() const { return pool->replicas[0]; }

  std::unique_ptr<PoolFacts> pool = test::make_pool("web", std::vector<std::string>{"a"});
  Latencies latencies{*pool, 0};
  Instant now{1h};
};

// What replicas are compared by: twice that of another one that answers in 5 ms.
constexpr std::uint32_t kLikeOthersUs = 10'000;

TEST_CASE("one slow answer alone is forgotten within seconds") {
  Rig rig;
  rig.answer(500ms);
  CHECK(rig.latencies.trusted_us(rig.replica(), rig.now) == 500'000);
  CHECK(rig.silence_until(kLikeOthersUs) == 6s);
}

TEST_CASE("a pause of a replica that was quick is forgotten within seconds") {
  Rig rig;
  for (int i = 0; i < 40; ++i)
    rig.answer(5ms);
  rig.answer(500ms);
  CHECK(rig.latencies.trusted_us(rig.replica(), rig.now) > 50'000);
  CHECK(rig.silence_until(kLikeOthersUs) == 3s);
}

TEST_CASE("a slow answer that the next trial confirms is remembered longer each time") {
  Rig rig;
  rig.answer(500ms);
  for (const auto expected : {12s, 24s, 48s, 60s, 60s}) {
    rig.now += rig.silence_until(kLikeOthersUs);
    rig.answer(510ms);
    CHECK(rig.silence_until(kLikeOthersUs) == expected);
  }
}

TEST_CASE("a quick answer after the silence counts for itself") {
  Rig rig;
  rig.answer(500ms);
  rig.now += 7s;
  rig.answer(5ms);
  CHECK(rig.latencies.trusted_us(rig.replica(), rig.now) == 5'000);
}

TEST_CASE("an error makes an average neither better nor more certain") {
  Rig rig;
  rig.answer(500ms);
  for (int i = 0; i < 10; ++i)
    rig.answer(1ms, Sampled::kFault);
  CHECK(rig.latencies.trusted_us(rig.replica(), rig.now) == 500'000);
  CHECK(rig.silence_until(kLikeOthersUs) == 6s);
}

}  // namespace
}  // namespace limpet::balance
