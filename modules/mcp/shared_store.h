// SPDX-License-Identifier: Apache-2.0
#pragma once
// SharedStore: the records and tombstones that instances of limpet share by way of Redis. Written
// when a session begins, changes, moves or ends; read only when one is lost. Not the sessions of
// this process: those are in session_store.h.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "modules/mcp/redis_link.h"
#include "modules/mcp/session_record.h"

namespace limpet::mcp {

/// What the other instances know of a session.
struct LookedUp {
  enum class Kind : std::uint8_t {
    kMissing,
    kEnded,
    kRecord,
    kFailed,  ///< Redis is down: what they know is not known
  };
  Kind kind = Kind::kFailed;
  std::optional<SessionRecord> record{};
};

/// One worker's way to it, for one pool.
/// Thread: its worker.
class SharedStore {
 public:
  struct Settings {
    RedisAddress address;
    RedisBounds bounds;
    std::chrono::seconds record_time{};  ///< how long a record is kept after its last change
    std::chrono::seconds tombstone_time{};
  };
  using OnLookedUp = std::function<void(LookedUp)>;

  SharedStore(Settings settings, std::string pool, DescriptorWatches& watches,
              RedisNumbers numbers);

  void publish(std::string_view id, const SessionRecord& record);
  /// The session has ended: its record goes, a tombstone stays.
  void bury(std::string_view id);
  /// Asks for the tombstone first, then for the record. The answer may come before this returns.
  void look_up(std::string_view id, OnLookedUp on_answer);

 private:
  Settings settings_;
  std::string pool_;
  RedisLink link_;
};

}  // namespace limpet::mcp
