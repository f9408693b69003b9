// SPDX-License-Identifier: Apache-2.0
#pragma once
// redis_text: what is written to Redis and read from it, and the address of it in limpet.toml. Pure
// text; redis_link.h carries it. What is read back is trusted as little as any other bytes from
// outside.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/address.h"
#include "daemon/base/result.h"
#include "modules/mcp/session_record.h"

namespace limpet::mcp {

/// redis://[[USER]:PASSWORD@]ADDRESS[:PORT][/DATABASE] or redis+unix:///PATH, checked.
struct RedisAddress {
  Address address;
  std::string user;
  std::string password;
  std::uint32_t database = 0;

  /// For people: without the password.
  [[nodiscard]] std::string print() const;
  friend bool operator==(const RedisAddress&, const RedisAddress&) = default;
};
inline constexpr std::uint16_t kRedisPort = 6379;
/// Errors: says what was expected.
[[nodiscard]] Result<RedisAddress> parse_redis_address(std::string_view text);

/// The largest record that is read back.
inline constexpr std::size_t kStoredBytesMax = 1024 * 1024;

/// The keys of a pool's session: its record, and the mark that it has ended.
[[nodiscard]] std::string record_key(std::string_view pool, std::string_view id);
[[nodiscard]] std::string tombstone_key(std::string_view pool, std::string_view id);

/// A record as text.
[[nodiscard]] std::string print_record(const SessionRecord& record);
/// Errors: nothing for what print_record() has not written, or a later form of it.
[[nodiscard]] std::optional<SessionRecord> read_record(std::string_view text);

}  // namespace limpet::mcp
