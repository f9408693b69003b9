// SPDX-License-Identifier: Apache-2.0
#pragma once
// SessionActivity: which sessions one worker has in hand: running calls, open streams, last use.
// Plain memory of one thread, so a call costs a look-up and no lock; now and then it is told to the
// store (session_store.h), whose reaper thereby never meets a session that is busy anywhere.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "modules/mcp/session_store.h"

namespace limpet::mcp {

/// What a session is busy with.
enum class Doing : std::uint8_t { kCall, kStream };

/// Thread: its worker.
class SessionActivity {
 public:
  /// How often the store is told; the reaper waits as much longer than the idle time.
  static constexpr Duration kTellEvery = std::chrono::seconds(15);
  /// Sessions in hand at a time; what goes beyond is told to the store at once.
  static constexpr std::size_t kSessionsMax = 65'536;

  explicit SessionActivity(SessionStore& store) noexcept : store_(store) {}

  /// What is running for one session.
  struct Use {
    std::uint32_t calls = 0;
    std::uint32_t streams = 0;
  };

  struct Begun {
    Use* use;     ///< what end() counts down without a look-up, valid until then; null where too
                  ///< many sessions are in hand
    bool is_new;  ///< the session was not in hand before
  };

  /// Something begins. Each begin has its end().
  Begun begin(std::string_view id, Doing doing, Instant now);
  void end(Use& use, Doing doing) noexcept;
  /// The same where begin() gave nothing, or it is not at hand.
  void end(std::string_view id, Doing doing, Instant now);

  /// Tells the store of everything used or busy since the last time, and forgets what is not busy;
  /// does nothing when called again too early.
  void tell(Instant now);

  [[nodiscard]] std::size_t open_streams() const noexcept { return open_streams_; }
  [[nodiscard]] std::size_t running_calls() const noexcept { return running_calls_; }
  /// Whether this worker has something running for the session.
  [[nodiscard]] bool is_busy(std::string_view id) const;
  /// Whether it has more than one thing running for it.
  [[nodiscard]] bool is_shared(std::string_view id) const;
  [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view id) const noexcept {
      return stable_hash(id);
    }
  };

  SessionStore& store_;
  std::unordered_map<std::string, Use, Hash, std::equal_to<>> sessions_;
  std::size_t open_streams_ = 0;
  std::size_t running_calls_ = 0;
  Instant told_{};
};

}  // namespace limpet::mcp
