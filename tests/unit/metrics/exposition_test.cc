// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/exposition.h"

#include <array>
#include <chrono>
#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

using namespace std::chrono_literals;

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST_CASE("series of the same name and labels are added up over the workers") {
  MetricSet first, second;
  first.counter("limpet_requests_total", {{"pool", "web"}, {"code_class", "2xx"}}).add(3);
  second.counter("limpet_requests_total", {{"pool", "web"}, {"code_class", "2xx"}}).add(4);
  second.counter("limpet_requests_total", {{"pool", "web"}, {"code_class", "5xx"}}).add(1);
  first.gauge("limpet_connections", {{"listener", "a"}}).add(5);
  second.gauge("limpet_connections", {{"listener", "a"}}).add(-2);
  const std::array<const MetricSet*, 2> sets = {&first, &second};
  const std::string text = exposition(sets);
  CHECK(has_line(text, "limpet_requests_total{pool=\"web\",code_class=\"2xx\"} 7"));
  CHECK(has_line(text, "limpet_requests_total{pool=\"web\",code_class=\"5xx\"} 1"));
  CHECK(has_line(text, "limpet_connections{listener=\"a\"} 3"));
}

TEST_CASE("each metric has its type and its help, once") {
  MetricSet set;
  set.counter("limpet_requests_total", {{"pool", "a"}}).add();
  set.counter("limpet_requests_total", {{"pool", "b"}}).add();
  const std::array<const MetricSet*, 1> sets = {&set};
  const std::string text = exposition(sets);
  CHECK(has_line(text, "# TYPE limpet_requests_total counter"));
  CHECK(text.find("# HELP limpet_requests_total Requests by class") != std::string::npos);
  CHECK(text.find("# TYPE") == text.rfind("# TYPE"));
}

TEST_CASE("a histogram is cumulative, in seconds, with sum and count") {
  MetricSet first, second;
  first.histogram("limpet_request_duration_seconds", {{"pool", "web"}}).observe(400us);
  second.histogram("limpet_request_duration_seconds", {{"pool", "web"}}).observe(2ms);
  second.histogram("limpet_request_duration_seconds", {{"pool", "web"}}).observe(60s);
  const std::array<const MetricSet*, 2> sets = {&first, &second};
  const std::string text = exposition(sets);
  const std::string bucket = "limpet_request_duration_seconds_bucket{pool=\"web\",le=\"";
  CHECK(has_line(text, bucket + "0.0005\"} 1"));
  CHECK(has_line(text, bucket + "0.001\"} 1"));
  CHECK(has_line(text, bucket + "0.0025\"} 2"));
  CHECK(has_line(text, bucket + "30\"} 2"));
  CHECK(has_line(text, bucket + "+Inf\"} 3"));
  CHECK(has_line(text, "limpet_request_duration_seconds_count{pool=\"web\"} 3"));
  CHECK(text.find("limpet_request_duration_seconds_sum{pool=\"web\"} 60.0024") !=
        std::string::npos);
}

TEST_CASE(
    "samples are gauges beside the counted numbers, or counters where the catalogue says so") {
  MetricSet set;
  set.gauge("limpet_replica_up", {{"pool", "web"}, {"replica", "a"}}).set(1);
  const std::array<const MetricSet*, 1> sets = {&set};
  const std::array<Sample, 3> samples = {
      Sample{"limpet_replica_up", {{"pool", "web"}, {"replica", "b"}}, 0},
      Sample{"limpet_core_busy_ratio", {{"core", "0"}}, 0.25},
      Sample{"limpet_access_log_dropped_total", {}, 7}};
  const std::string text = exposition(sets, samples);
  CHECK(has_line(text, "limpet_replica_up{pool=\"web\",replica=\"a\"} 1"));
  CHECK(has_line(text, "limpet_replica_up{pool=\"web\",replica=\"b\"} 0"));
  CHECK(has_line(text, "limpet_core_busy_ratio{core=\"0\"} 0.25"));
  CHECK(has_line(text, "# TYPE limpet_access_log_dropped_total counter"));
  CHECK(has_line(text, "limpet_access_log_dropped_total 7"));
}

TEST_CASE("label values cannot break out of their quotes") {
  MetricSet set;
  set.counter("limpet_requests_total", {{"pool", "a\"b\\c\nd"}}).add();
  const std::array<const MetricSet*, 1> sets = {&set};
  CHECK(has_line(exposition(sets), "limpet_requests_total{pool=\"a\\\"b\\\\c\\nd\"} 1"));
}

}  // namespace
}  // namespace limpet
