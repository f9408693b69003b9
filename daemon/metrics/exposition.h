// SPDX-License-Identifier: Apache-2.0
#pragma once
// Exposition: the text that Prometheus scrapes: the numbers of all workers added up, and gauges
// that are computed at the scrape. It counts nothing and serves nothing. Neighbours: counter.h,
// catalogue.h; the admin listener sends it.

#include <span>
#include <string>
#include <string_view>

#include "daemon/metrics/counter.h"

namespace limpet {

/// A number computed for one scrape, such as a replica's live sessions.
struct Sample {
  std::string_view name;
  Labels labels;
  double value = 0;
};

/// The media type of the text.
inline constexpr std::string_view kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Series of the same name and labels become one, their values added.
/// Thread: any; the sets may be counting meanwhile.
/// Cost: grows with the number of series; takes each set's lock once.
[[nodiscard]] std::string exposition(std::span<const MetricSet* const> sets,
                                     std::span<const Sample> extra = {});

}  // namespace limpet
