// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/counter.h"

namespace limpet {

template <typename T>
T& MetricSet::find_or_make(std::map<Key, std::unique_ptr<T>>& family, std::string_view name,
                           const Labels& labels) {
  Key key{std::string(name), {}};
  key.labels.reserve(labels.size());
  for (const auto& [label, value] : labels)
    key.labels.emplace_back(std::string(label), value);
  const std::lock_guard lock(mutex_);
  if (auto found = family.find(key); found != family.end()) return *found->second;
  if (family.size() >= kSeriesMax) {
    for (auto& [label, value] : key.labels)
      value = kFolded;
  }
  auto& place = family[std::move(key)];
  if (!place) place = std::make_unique<T>();
  return *place;
}

Counter& MetricSet::counter(std::string_view name, const Labels& labels) {
  return find_or_make(counters_, name, labels);
}
Gauge& MetricSet::gauge(std::string_view name, const Labels& labels) {
  return find_or_make(gauges_, name, labels);
}
Histogram& MetricSet::histogram(std::string_view name, const Labels& labels) {
  return find_or_make(histograms_, name, labels);
}

}  // namespace limpet
