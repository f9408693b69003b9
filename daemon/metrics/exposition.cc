// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/exposition.h"

#include <chrono>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "daemon/metrics/catalogue.h"

namespace limpet {
namespace {

using Key = MetricSet::Key;

struct HistogramSum {
  std::array<std::uint64_t, Histogram::kBounds.size() + 1> counts{};
  double sum_s = 0;

  void add(const Histogram& histogram) {
    for (std::size_t i = 0; i < counts.size(); ++i)
      counts[i] += histogram.count(i);
    sum_s += static_cast<double>(histogram.sum_ns()) * 1e-9;
  }
};

/// The sums over all sets; series of one name stand together.
struct Sums {
  std::map<Key, double> counters;
  std::map<Key, double> gauges;
  std::map<Key, HistogramSum> histograms;

  void add(const MetricSet& set) {
    set.visit(
        [&](const Key& key, const Counter& c) { counters[key] += static_cast<double>(c.value()); },
        [&](const Key& key, const Gauge& g) { gauges[key] += static_cast<double>(g.value()); },
        [&](const Key& key, const Histogram& h) { histograms[key].add(h); });
  }

  void add(const Sample& sample) {
    Key key{std::string(sample.name), {}};
    for (const auto& [label, value] : sample.labels) {
      key.labels.emplace_back(std::string(label), value);
    }
    const MetricEntry* entry = find_metric(sample.name);
    const bool is_counter = entry != nullptr && entry->kind == MetricKind::kCounter;
    (is_counter ? counters : gauges)[std::move(key)] += sample.value;
  }
};

prometheus::ClientMetric labelled(const Key& key) {
  prometheus::ClientMetric metric;
  for (const auto& [label, value] : key.labels)
    metric.label.push_back({label, value});
  return metric;
}

prometheus::ClientMetric to_metric(const Key& key, const HistogramSum& sum) {
  auto metric = labelled(key);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < sum.counts.size(); ++i) {
    below += sum.counts[i];
    const double bound = i < Histogram::kBounds.size()
                             ? static_cast<double>(Histogram::kBounds[i].count()) / 1e6
                             : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({below, bound});
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = sum.sum_s;
  return metric;
}

prometheus::MetricFamily& family_of(std::vector<prometheus::MetricFamily>& families,
                                    const std::string& name, prometheus::MetricType type) {
  if (families.empty() || families.back().name != name) {
    const MetricEntry* entry = find_metric(name);
    families.push_back({name, entry == nullptr ? "" : std::string(entry->help), type, {}});
  }
  return families.back();
}

std::vector<prometheus::MetricFamily> families_of(const Sums& sums) {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& [key, value] : sums.counters) {
    auto metric = labelled(key);
    metric.counter.value = value;
    family_of(families, key.name, prometheus::MetricType::Counter)
        .metric.push_back(std::move(metric));
  }
  for (const auto& [key, value] : sums.gauges) {
    auto metric = labelled(key);
    metric.gauge.value = value;
    family_of(families, key.name, prometheus::MetricType::Gauge)
        .metric.push_back(std::move(metric));
  }
  for (const auto& [key, sum] : sums.histograms) {
    family_of(families, key.name, prometheus::MetricType::Histogram)
        .metric.push_back(to_metric(key, sum));
  }
  return families;
}

}  // namespace

std::string exposition(std::span<const MetricSet* const> sets, std::span<const Sample> extra) {
  Sums sums;
  for (const MetricSet* set : sets)
    sums.add(*set);
  for (const Sample& sample : extra)
    sums.add(sample);
  return prometheus::TextSerializer().Serialize(families_of(sums));
}

}  // namespace limpet
