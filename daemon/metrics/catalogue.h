// SPDX-License-Identifier: Apache-2.0
#pragma once
// Catalogue: every metric of limpet, once: name, kind, labels, what it says. exposition.cc takes
// the help texts from here, tests hold dashboards and modules to it. It counts nothing. Neighbours:
// counter.h, exposition.h. Names end in their unit (_seconds, _bytes) and, where they only grow, in
// _total. The `replica` label is the id.

#include <cstdint>
#include <span>
#include <string_view>

namespace limpet {

/// How a metric behaves.
enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };

/// One metric.
struct MetricEntry {
  std::string_view name;
  MetricKind kind;
  std::string_view labels;  ///< names, separated by commas, in the order shown
  std::string_view help;    ///< one sentence without a full stop
};

/// All of them, by name.
[[nodiscard]] std::span<const MetricEntry> metric_catalogue() noexcept;
/// The entry of that name, or null.
[[nodiscard]] const MetricEntry* find_metric(std::string_view name) noexcept;

}  // namespace limpet
