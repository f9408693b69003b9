// SPDX-License-Identifier: Apache-2.0
#pragma once
// Health settings: [pool.X.health] as read and checked. No behaviour: probe_judge.cc and
// ejection.cc have that.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config/reader.h"
#include "daemon/module/probe.h"
#include "daemon/module/replica.h"

namespace limpet::health {

/// Which statuses are good, as in "200-399,404".
class StatusRanges {
 public:
  /// Errors: nothing for other text, or numbers outside 100 to 599.
  [[nodiscard]] static std::optional<StatusRanges> parse(std::string_view text);
  [[nodiscard]] bool contains(std::uint16_t status) const noexcept;

 private:
  std::vector<std::pair<std::uint16_t, std::uint16_t>> ranges_;
};

/// health.active
struct ActiveSettings {
  bool is_on = true;
  ProbeSpec spec;
  StatusRanges good;
  Duration interval{};
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;
  std::uint32_t jitter_percent = 20;
};

/// health.passive
struct PassiveSettings {
  std::uint32_t failures = 5;  ///< in a row; 0 = off
  Duration window{};           ///< within which they come
  Duration eject{};            ///< the first time; longer with each repeat
  std::uint32_t ejected_percent_max = 50;

  [[nodiscard]] bool is_on() const noexcept { return failures > 0; }
};

struct HealthSettings {
  ActiveSettings active;
  PassiveSettings passive;
  Health initial = Health::kUnproven;
};

/// Reads the table; mistakes are reported through the reader.
[[nodiscard]] HealthSettings read_health_settings(const ConfigReader& reader);

}  // namespace limpet::health
