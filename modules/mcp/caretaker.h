// SPDX-License-Identifier: Apache-2.0
#pragma once
// Caretaker: what is done for a pool's sessions once a second: those that nobody uses are ended,
// those of a drained replica leave it, and all are counted. One worker of the process reaps and
// counts; each looks after its own streams.

#include <string>
#include <unordered_map>

#include "modules/mcp/desk.h"
#include "modules/mcp/session_activity.h"

namespace limpet::mcp {

/// Borrows: the desk. Thread: its worker.
class Caretaker {
 public:
  /// Sessions ended in one round.
  static constexpr std::size_t kReapedMax = 64;
  /// A session that has been used for none of this time is idle, and leaves a drained replica
  /// without a request of its own: workers tell of use every kTellEvery.
  static constexpr Duration kIdleForLeaving = 2 * SessionActivity::kTellEvery;

  explicit Caretaker(Desk& desk) : desk_(desk) {}

  void on_tick(Instant now);

 private:
  void reap(Instant now);
  void count();
  void note_draining(Instant now);
  void release_idle(Instant now);
  void close_streams();

  Desk& desk_;
  std::unordered_map<std::string, Instant> drained_since_;
};

}  // namespace limpet::mcp
