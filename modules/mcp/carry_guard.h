// SPDX-License-Identifier: Apache-2.0
#pragma once
// CarryGuard: who may carry a session over, and when: one exchange at a time for each session, the
// others wait for what comes of it; and so many in a second for the pool, so that the death of a
// replica with many sessions does not bury the rest under handshakes. It does not know how to carry
// over: handshake.h does.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/hash.h"

namespace limpet::mcp {

/// Why carrying over ended as it did; the label `cause` of limpet_mcp_carry_overs_total.
enum class CarryEnd : std::uint8_t {
  kCarried,
  kOff,              ///< the policy says so
  kEnded,            ///< the client has deleted the session, or it was reaped
  kUnknown,          ///< no record: opened elsewhere, made room for others, or too large
  kPrincipal,        ///< somebody else presents the id
  kCredentials,      ///< the replica refuses the handshake with 401 or 403
  kDifferentServer,  ///< versions or capabilities differ
  kStateless,        ///< the new replica hands out no session id
  kRefused,          ///< the new replica answers the handshake with an error
  kFailed,           ///< the new replica broke off, or took too long
  kRate,             ///< too many at a time
  kNoReplica,        ///< nobody is left to carry it to
};
inline constexpr std::size_t kCarryEnds = 12;
[[nodiscard]] std::string_view name_of(CarryEnd end) noexcept;

struct CarryBounds {
  std::uint32_t per_second = 200;                  ///< handshakes that begin, 0 = no limit
  Duration wait_max = std::chrono::seconds(30);    ///< for a turn; beyond it: refused
  Duration flight_max = std::chrono::seconds(15);  ///< then a carry-over is taken for dead
};

/// Is told that the carry-over it waits for has ended.
/// Lifetime: leaves the guard before it dies.
class CarryWaiter {
 public:
  virtual ~CarryWaiter() = default;
  /// Thread: the one that ended it, under the guard's lock: may post a letter, nothing else.
  virtual void on_carried(CarryEnd end) noexcept = 0;
};

/// What an exchange that needs its session carried over shall do.
struct CarryTurn {
  enum class Kind : std::uint8_t {
    kLead,    ///< carry it over, beginning at `begin`; then call end() whatever happens
    kFollow,  ///< wait for the one that leads, until `begin` at the latest, then ask again
    kRefuse,  ///< too many are waiting: `begin` says when there may be room
  };
  Kind kind = Kind::kRefuse;
  Instant begin{};
};

/// One for a pool.
/// Thread: any; short locks.
class CarryGuard {
 public:
  explicit CarryGuard(CarryBounds bounds) noexcept : bounds_(bounds) {}

  /// Asks for the carry-over of a session. A follower that gives a waiter is told of its end.
  [[nodiscard]] CarryTurn ask(std::string_view id, CarryWaiter* waiter, Instant now);
  /// The leader is done: the followers are told, and ask again or go on.
  void end(std::string_view id, CarryEnd how);
  /// The waiter no longer waits.
  void leave(std::string_view id, CarryWaiter& waiter);

  [[nodiscard]] std::size_t in_flight();

 private:
  static constexpr std::size_t kShards = 16;
  struct Flight {
    Instant dead_at{};
    std::vector<CarryWaiter*> waiters;
  };
  struct Hash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view id) const noexcept {
      return stable_hash(id);
    }
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, Flight, Hash, std::equal_to<>> flights;
  };
  [[nodiscard]] Shard& shard_of(std::string_view id) noexcept {
    return shards_[(stable_hash(id) >> 48U) % kShards];
  }
  /// The instant of the next free turn, which is taken; kNever where it is too far away.
  [[nodiscard]] Instant take_turn(Instant now, Instant& room_at);

  CarryBounds bounds_;
  std::array<Shard, kShards> shards_;
  std::mutex rate_mutex_;
  Instant next_turn_{};
};

}  // namespace limpet::mcp
