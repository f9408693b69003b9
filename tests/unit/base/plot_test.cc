// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/plot.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/mman.h>

namespace limpet {
namespace {

constexpr std::size_t kPageBytes = 4096;

[[nodiscard]] std::size_t pages_held(const Plot& plot) {
  std::array<unsigned char, Plot::kBytes / kPageBytes> held{};
  REQUIRE(mincore(plot.data(), Plot::kBytes, held.data()) == 0);
  return static_cast<std::size_t>(
      std::count_if(held.begin(), held.end(), [](unsigned char one) { return (one & 1) != 0; }));
}

TEST_CASE("plot: pages are zero, one's own, and hold nothing until they are written to") {
  std::set<char*> places;
  std::vector<std::unique_ptr<Plot>> plots;
  for (int i = 0; i < 200; ++i) {
    plots.push_back(std::make_unique<Plot>());
    CHECK(plots.back()->data() == nullptr);
    REQUIRE(plots.back()->lay_out());
    char* const data = plots.back()->data();
    CHECK(places.insert(data).second);
    CHECK(reinterpret_cast<std::uintptr_t>(data) % kPageBytes == 0);
    CHECK(pages_held(*plots.back()) == 0);
    CHECK(std::all_of(data, data + Plot::kBytes, [](char c) { return c == 0; }));
    std::memset(data, i + 1, Plot::kBytes);
  }
  for (int i = 0; i < 200; ++i)
    CHECK(*plots[static_cast<std::size_t>(i)]->data() == static_cast<char>(i + 1));
}

TEST_CASE("plot: what was given back is zero again") {
  char* before = nullptr;
  for (int i = 0; i < 3; ++i) {
    Plot plot;
    REQUIRE(plot.lay_out());
    if (i > 0) CHECK(plot.data() == before);
    before = plot.data();
    CHECK(std::all_of(before, before + Plot::kBytes, [](char c) { return c == 0; }));
    std::memset(before, 'x', Plot::kBytes);
    if (i == 1) plot.rest();
  }
}

TEST_CASE("plot: at rest it holds no page, awake again it is as it was") {
  std::mt19937 random(3);
  for (const std::size_t written : {0U, 1U, 64U, 500U, 12288U}) {
    Plot plot;
    REQUIRE(plot.lay_out());
    for (std::size_t i = 0; i < written; ++i)
      plot.data()[random() % Plot::kBytes] = static_cast<char>(random());
    const std::string before(plot.data(), Plot::kBytes);
    for (int again = 0; again < 2; ++again) {
      plot.rest();
      plot.rest();
      CHECK(plot.is_resting());
      CHECK(pages_held(plot) == 0);
      plot.wake();
      plot.wake();
      CHECK_FALSE(plot.is_resting());
      const bool is_the_same = before == std::string(plot.data(), Plot::kBytes);
      CHECK(is_the_same);
    }
  }
}

TEST_CASE("plot: one that was never laid out cannot rest") {
  Plot plot;
  plot.rest();
  CHECK_FALSE(plot.is_resting());
  plot.wake();
}

}  // namespace
}  // namespace limpet
