// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/catalogue.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

TEST_CASE("every name of the catalogue follows the rules of Prometheus") {
  for (const MetricEntry& entry : metric_catalogue()) {
    const std::string name(entry.name);
    CAPTURE(name);
    CHECK(name.starts_with("limpet_"));
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string::npos);
    CHECK(name.ends_with("_total") == (entry.kind == MetricKind::kCounter));
    if (entry.kind == MetricKind::kHistogram) CHECK(name.ends_with("_seconds"));
    CHECK_FALSE(entry.help.empty());
    CHECK_FALSE(entry.help.ends_with('.'));
  }
}

TEST_CASE("a metric is found by its whole name only") {
  REQUIRE(find_metric("limpet_requests_total") != nullptr);
  CHECK(find_metric("limpet_requests_total")->kind == MetricKind::kCounter);
  CHECK(find_metric("limpet_requests") == nullptr);
  CHECK(find_metric("") == nullptr);
  CHECK(find_metric("zzz") == nullptr);
}

}  // namespace
}  // namespace limpet
