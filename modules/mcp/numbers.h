// SPDX-License-Identifier: Apache-2.0
#pragma once
// Numbers: what one worker counts of one pool's sessions. Labels that come from clients (tools,
// client names) are bounded: what comes later is counted as "other". daemon/metrics/catalogue.cc
// says what each one means.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/metrics/counter.h"
#include "daemon/module/exchange.h"
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
enum class SessionEnd : std::uint8_t {
  kDeleted,
  kReaped,
  kClosed,  ///< of legacy HTTP+SSE: its stream ended
};
inline constexpr std::size_t kSessionEnds = 3;
[[nodiscard]] std::string_view name_of(SessionEnd end) noexcept;

/// What a client speaks.
enum class ClientEra : std::uint8_t { kSession, kModern, kLegacy };
inline constexpr std::size_t kClientEras = 3;
[[nodiscard]] std::string_view name_of(ClientEra era) noexcept;

/// What a ping found out about a replica that owed an answer.
enum class DoubtEnd : std::uint8_t { kAlive, kLost, kSilent };
inline constexpr std::size_t kDoubtEnds = 3;
[[nodiscard]] std::string_view name_of(DoubtEnd end) noexcept;

/// Why a notice did not reach the client of a subscriptions/listen stream.
enum class ListenDrop : std::uint8_t {
  kUnreadable,  ///< too long, or no JSON
  kUnwanted,    ///< not of a kind that was acknowledged
  kSlowClient,  ///< the client does not read; it is told later that everything has changed
};
inline constexpr std::size_t kListenDrops = 3;
[[nodiscard]] std::string_view name_of(ListenDrop drop) noexcept;

/// Of the event streams of one replica.
struct StreamNumbers {
  Gauge* open = nullptr;
  Counter* keep_alives = nullptr;
};

/// Borrows: the set. Thread: its worker.
class Numbers {
 public:
  static constexpr std::size_t kToolsMax = 64;
  static constexpr std::size_t kClientsMax = 32;

  Numbers(MetricSet& metrics, std::string pool);

  /// Labels by replica are empty where it is not known.
  void note_started(const std::string& replica);
  void note_ended(const std::string& replica, SessionEnd end);
  void note_lost(const std::string& replica, LossCause cause);
  /// `replica` is the one that the session was to leave.
  void note_carry(const std::string& replica, CarryEnd end);
  /// A client has said who it is: initialize, or server/discover.
  void note_client(ClientEra era, std::string_view name);
  /// Cost: a look-up by index. `replica` is null where none was chosen.
  void note_request(ClientEra era, const Replica* replica);
  void note_doubt(const std::string& replica, DoubtEnd end);
  /// A request named a session that is not to be had any more: 404.
  void note_stale();
  /// A call was answered with an error since it may have run on a replica that was lost.
  void note_unanswered();
  void note_tool_call(std::string_view tool, std::chrono::nanoseconds took);
  void note_listen_drops(ListenDrop drop, std::uint64_t notices);
  void set_living(const std::string& replica, std::uint64_t sessions);
  /// Gauges of the store: "records", "bytes", "tombstones".
  void set_stored(const std::string& kind, std::uint64_t amount);
  /// Gauges of the table of tasks: "entries", "evicted", "bound".
  void set_tasks(const std::string& kind, std::uint64_t amount);

  [[nodiscard]] StreamNumbers streams_of(const Replica& replica);
  [[nodiscard]] RedisNumbers redis();

 private:
  struct OfReplica {
    StreamNumbers streams;
    std::array<Counter*, kClientEras> requests{};
  };

  template <typename T>
  [[nodiscard]] static const std::string& bounded(
      const std::map<std::string, T*, std::less<>>& held, const std::string& name, std::size_t max);
  [[nodiscard]] OfReplica& of(const Replica& replica);

  MetricSet& metrics_;
  std::string pool_;
  Counter& stale_;
  Counter& unanswered_;
  std::vector<OfReplica> by_index_;
  OfReplica of_none_;
  std::map<std::string, Histogram*, std::less<>> tools_;
  std::array<std::map<std::string, Counter*, std::less<>>, kClientEras> clients_;
};

/// Counts one event stream as open on its replica, as long as it lives, and the comments put into
/// it.
/// Borrows: the numbers. Thread: its worker.
class OpenStream {
 public:
  /// The stream is the response of `exchange`, from the exchange's replica.
  OpenStream(Numbers& numbers, Exchange& exchange) : numbers_(numbers) { begin(exchange); }
  ~OpenStream() { of_.open->add(-1); }
  OpenStream(const OpenStream&) = delete;
  OpenStream& operator=(const OpenStream&) = delete;

  /// It goes on from another replica, the exchange's present one.
  void move(Exchange& exchange) {
    of_.open->add(-1);
    begin(exchange);
  }

 private:
  void begin(Exchange& exchange);

  Numbers& numbers_;
  StreamNumbers of_;
};

}  // namespace limpet::mcp
