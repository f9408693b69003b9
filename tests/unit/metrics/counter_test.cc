// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/counter.h"

#include <doctest/doctest.h>

namespace limpet {
namespace {

using std::chrono::nanoseconds;

// The bucket that `took` went to.
std::size_t bucket_of(nanoseconds took) {
  Histogram histogram;
  histogram.observe(took);
  std::size_t found = Histogram::kBounds.size() + 1;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) {
    if (histogram.count(i) > 0) found = i;
    total += histogram.count(i);
  }
  CHECK(total == 1);
  return found;
}

TEST_CASE("histogram: a bound is the last duration of its bucket") {
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    const nanoseconds bound = Histogram::kBounds[i];
    CHECK(bucket_of(bound - nanoseconds(1)) == i);
    CHECK(bucket_of(bound) == i);
    CHECK(bucket_of(bound + nanoseconds(1)) == i + 1);
  }
}

TEST_CASE("histogram: the shortest and the longest have a bucket, and time that ran backwards") {
  CHECK(bucket_of(nanoseconds(0)) == 0);
  CHECK(bucket_of(nanoseconds(1)) == 0);
  CHECK(bucket_of(nanoseconds(-5)) == 0);
  CHECK(bucket_of(nanoseconds::max()) == Histogram::kBounds.size());
  Histogram histogram;
  histogram.observe(nanoseconds(-5));
  histogram.observe(nanoseconds(7));
  CHECK(histogram.sum_ns() == 7);
}

TEST_CASE("histogram: every power of two is where a search from the front finds it") {
  for (int shift = 0; shift < 62; ++shift) {
    const nanoseconds took(std::int64_t{1} << shift);
    std::size_t expected = 0;
    while (expected < Histogram::kBounds.size() && took > Histogram::kBounds[expected])
      ++expected;
    CHECK(bucket_of(took) == expected);
  }
}

}  // namespace
}  // namespace limpet
