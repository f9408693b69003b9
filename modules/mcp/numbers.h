// SPDX-License-Identifier: Apache-2.0
#pragma once
// Numbers: what one worker counts of one pool's sessions. Labels that come from clients (tools,
// client names) are bounded: what comes later is counted as "other". daemon/metrics/catalogue.cc
// says what each one means.

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "daemon/metrics/counter.h"
#include "modules/mcp/carry_guard.h"
#include "modules/mcp/redis_link.h"

namespace limpet::mcp {

/// Why a session was lost to its replica, whatever became of it then.
enum class LossCause : std::uint8_t {
  kGone,      ///< the replica is dead, or no longer configured
  kDenied,    ///< the replica lives and does not know the session
  kDraining,  ///< it was to leave a replica that is drained
};
inline constexpr std::size_t kLossCauses = 3;
[[nodiscard]] std::string_view name_of(LossCause cause) noexcept;

/// How a session ended in order.
enum class SessionEnd : std::uint8_t { kDeleted, kReaped };

/// Borrows: the set. Thread: its worker.
class Numbers {
 public:
  static constexpr std::size_t kToolsMax = 64;
  static constexpr std::size_t kClientsMax = 32;

  Numbers(MetricSet& metrics, std::string pool);

  void note_started(const std::string& replica, std::string_view client);
  void note_ended(SessionEnd end);
  void note_lost(LossCause cause);
  void note_carry(CarryEnd end);
  /// A request named a session that is not to be had any more: 404.
  void note_stale();
  /// A call was answered with an error since it may have run on a replica that was lost.
  void note_unanswered();
  void note_tool_call(std::string_view tool, std::chrono::nanoseconds took);
  void note_streams(std::int64_t change) { streams_.add(change); }
  void set_living(const std::string& replica, std::uint64_t sessions);
  /// Gauges of the store: "records", "bytes", "tombstones".
  void set_stored(const std::string& kind, std::uint64_t amount);

  [[nodiscard]] Counter& keep_alives() noexcept { return keep_alives_; }
  [[nodiscard]] RedisNumbers redis();

 private:
  template <typename T>
  [[nodiscard]] static const std::string& bounded(
      const std::map<std::string, T*, std::less<>>& held, const std::string& name, std::size_t max);

  MetricSet& metrics_;
  std::string pool_;
  Counter& keep_alives_;
  Gauge& streams_;
  Counter& stale_;
  Counter& unanswered_;
  std::array<Counter*, kCarryEnds> carries_{};
  std::array<Counter*, kLossCauses> losses_{};
  std::map<std::string, Histogram*, std::less<>> tools_;
  std::map<std::string, Counter*, std::less<>> clients_;
};

}  // namespace limpet::mcp
