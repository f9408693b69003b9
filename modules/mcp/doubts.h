// SPDX-License-Identifier: Apache-2.0
#pragma once
// Doubts: requests of sessions that wait for the head of their answer, and the question whether it
// will ever come. A tool may think for hours, so silence alone says nothing: a ping on the same
// session asks the replica. Only its word that it does not know the session ends the wait, or,
// where the operator allows it, that it answers nothing at all for long. What follows from that,
// session_turn.h decides; ping_prelude.h carries the ping.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/module/prelude.h"

namespace limpet {
struct Exchange;
struct Replica;
}  // namespace limpet

namespace limpet::mcp {

struct Desk;
class PingPrelude;
class Doubt;

/// Those of one worker.
/// Borrows: each doubt, which takes itself out. Thread: its worker. Cost: none that a request pays
/// but being put into a list.
class Doubts {
 public:
  /// Pings under way at a time; who finds no room asks later.
  static constexpr std::size_t kPingsMax = 64;

  /// About once a second: asks where it is time.
  void on_tick(Instant now);

 private:
  friend class Doubt;
  Doubt* first_ = nullptr;
  std::size_t pings_ = 0;
};

/// One request that waits.
/// Lifetime: its turn's, at most the exchange's. Thread: its worker.
class Doubt final : private Prelude::Host {
 public:
  /// What has been found out.
  enum class Finding : std::uint8_t {
    kNone,
    kDenied,  ///< the replica does not know the session
    kDeaf,    ///< the replica has answered nothing for hang_after
  };

  Doubt(Desk& desk, Exchange& exchange) noexcept;
  ~Doubt();
  Doubt(const Doubt&) = delete;
  Doubt& operator=(const Doubt&) = delete;

  /// The request may come to wait.
  void begin() noexcept;
  /// Its answer has begun, or it is over.
  void end() noexcept;
  /// Why the attempt that failed was given up; kNone where it was not for silence. Said once.
  [[nodiscard]] Finding take_finding() noexcept { return std::exchange(finding_, Finding::kNone); }

 private:
  friend class Doubts;

  [[nodiscard]] bool is_waiting() const noexcept;
  void look(Instant now);
  void on_prelude_over(Prelude::Result result) override;
  void drop_ping() noexcept;

  Desk& desk_;
  Exchange& exchange_;
  std::unique_ptr<PingPrelude> ping_;
  const Replica* asked_ = nullptr;  ///< by the ping
  Instant asked_of_{};              ///< when the request it asks about was sent
  Instant heard_{};                 ///< when the replica last answered a ping
  Instant looked_{};                ///< when a ping was last over
  Doubt* next_ = nullptr;
  Doubt** place_ = nullptr;  ///< what points here; null where it is in no list
  Finding finding_ = Finding::kNone;
};

}  // namespace limpet::mcp
