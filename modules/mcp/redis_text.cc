// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/redis_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <utility>

#include "daemon/base/text.h"

namespace limpet::mcp {

namespace {

constexpr std::string_view kExpected =
    "expected redis://ADDRESS:PORT/DATABASE, redis://:PASSWORD@ADDRESS:PORT/DATABASE or "
    "redis+unix:///PATH; names are not resolved";
constexpr std::string_view kForm = "limpet-session/1\n";
constexpr std::size_t kSubscriptionsMax = 4096;
constexpr std::uint64_t kSinceMax = std::uint64_t{1} << 40U;  // no clock of ours shows more seconds

int hex_value(char c) noexcept {
  if (text::is_digit(c)) return c - '0';
  const char low = text::lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::optional<std::string> unescaped(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      out += part[i];
      continue;
    }
    if (i + 2 >= part.size()) return std::nullopt;
    const int high = hex_value(part[i + 1]);
    const int low = hex_value(part[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

bool take_user(std::string_view user_info, RedisAddress& address) {
  const std::size_t colon = user_info.find(':');
  if (colon == std::string_view::npos) return false;
  std::optional<std::string> user = unescaped(user_info.substr(0, colon));
  std::optional<std::string> password = unescaped(user_info.substr(colon + 1));
  if (!user || !password) return false;
  address.user = *std::move(user);
  address.password = *std::move(password);
  return true;
}

bool take_host(std::string_view host, RedisAddress& address) {
  const bool has_port = host.ends_with(']') ? false : host.rfind(':') != std::string_view::npos;
  const std::string whole =
      has_port ? std::string(host) : std::string(host) + ":" + std::to_string(kRedisPort);
  Result<Address> parsed = Address::parse(whole);
  if (!parsed || !parsed->is_ip() || parsed->port() == 0) return false;
  address.address = *parsed;
  return true;
}

void put(std::string& out, std::string_view part) {
  out += std::to_string(part.size());
  out += ':';
  out += part;
}
void put(std::string& out, std::uint64_t number) { put(out, std::to_string(number)); }

// Takes "LENGTH:BYTES" off the front.
bool take(std::string_view& rest, std::string& part) {
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos || colon > 7) return false;
  const std::optional<std::uint64_t> bytes = text::parse_unsigned(rest.substr(0, colon));
  if (!bytes || *bytes > rest.size() - colon - 1) return false;
  part = rest.substr(colon + 1, static_cast<std::size_t>(*bytes));
  rest.remove_prefix(colon + 1 + static_cast<std::size_t>(*bytes));
  return true;
}
bool take(std::string_view& rest, std::uint64_t& number) {
  std::string part;
  if (!take(rest, part)) return false;
  const std::optional<std::uint64_t> read = text::parse_unsigned(part);
  number = read.value_or(0);
  return read.has_value();
}

void put_birth(std::string& out, const SessionBirth& birth) {
  for (const std::string* part :
       {&birth.initialize, &birth.request_id, &birth.target, &birth.client_name,
        &birth.client_version, &birth.server.protocol_version, &birth.server.capabilities,
        &birth.server.name, &birth.server.version})
    put(out, *part);
  put(out, birth.by.principal);
  put(out, birth.by.credential);
}

bool take_birth(std::string_view& rest, SessionBirth& birth) {
  for (std::string* part :
       {&birth.initialize, &birth.request_id, &birth.target, &birth.client_name,
        &birth.client_version, &birth.server.protocol_version, &birth.server.capabilities,
        &birth.server.name, &birth.server.version}) {
    if (!take(rest, *part)) return false;
  }
  return take(rest, birth.by.principal) && take(rest, birth.by.credential);
}

bool take_subscriptions(std::string_view& rest, SessionRecord& record) {
  std::uint64_t count = 0;
  if (!take(rest, count) || count > kSubscriptionsMax) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string uri;
    if (!take(rest, uri)) return false;
    record.subscriptions.push_back(std::move(uri));
  }
  return true;
}

}  // namespace

Result<RedisAddress> parse_redis_address(std::string_view text) {
  static constexpr std::string_view kTcp = "redis://";
  static constexpr std::string_view kUnix = "redis+unix://";
  RedisAddress address;
  if (text.starts_with(kUnix)) {
    Result<Address> path = Address::parse("unix:" + std::string(text.substr(kUnix.size())));
    if (!path) return Error{std::string(kExpected)};
    address.address = *path;
    return address;
  }
  if (!text.starts_with(kTcp)) return Error{std::string(kExpected)};
  std::string_view rest = text.substr(kTcp.size());
  const std::size_t at = rest.rfind('@');
  if (at != std::string_view::npos) {
    if (!take_user(rest.substr(0, at), address)) return Error{std::string(kExpected)};
    rest.remove_prefix(at + 1);
  }
  const std::size_t slash = rest.find('/');
  if (!take_host(rest.substr(0, slash), address)) return Error{std::string(kExpected)};
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return address;
  const std::optional<std::uint64_t> database = text::parse_unsigned(rest.substr(slash + 1));
  if (!database || *database > std::numeric_limits<std::int32_t>::max())
    return Error{std::string(kExpected)};
  address.database = static_cast<std::uint32_t>(*database);
  return address;
}

std::string RedisAddress::print() const {
  if (address.is_unix()) return "redis+unix://" + address.unix_path();
  return "redis://" + address.print() + "/" + std::to_string(database);
}

std::string record_key(std::string_view pool, std::string_view id) {
  return "limpet:" + std::string(pool) + ":session:" + std::string(id);
}

std::string tombstone_key(std::string_view pool, std::string_view id) {
  return "limpet:" + std::string(pool) + ":ended:" + std::string(id);
}

std::string print_record(const SessionRecord& record) {
  std::string out(kForm);
  put(out, record.home.replica);
  put(out, record.home.original_id);
  put(out, static_cast<std::uint64_t>(
               std::max<std::int64_t>(0, record.home.since.time_since_epoch().count())));
  put(out, record.home.incarnation);
  put(out, std::uint64_t{record.home.moves});
  put(out, record.level);
  put(out, std::uint64_t{record.subscriptions.size()});
  for (const std::string& uri : record.subscriptions)
    put(out, uri);
  put(out, std::uint64_t{record.birth == nullptr ? 0U : 1U});
  if (record.birth != nullptr) put_birth(out, *record.birth);
  return out;
}

std::optional<SessionRecord> read_record(std::string_view text) {
  if (text.size() > kStoredBytesMax || !text.starts_with(kForm)) return std::nullopt;
  std::string_view rest = text.substr(kForm.size());
  SessionRecord record;
  std::uint64_t since = 0;
  std::uint64_t moves = 0;
  std::uint64_t has_birth = 0;
  if (!take(rest, record.home.replica) || !take(rest, record.home.original_id) ||
      !take(rest, since) || !take(rest, record.home.incarnation) || !take(rest, moves) ||
      !take(rest, record.level) || !take_subscriptions(rest, record) || !take(rest, has_birth))
    return std::nullopt;
  if (since > kSinceMax || moves > std::numeric_limits<std::uint32_t>::max() || has_birth > 1)
    return std::nullopt;
  record.home.since = WallSeconds(std::chrono::seconds(static_cast<std::int64_t>(since)));
  record.home.moves = static_cast<std::uint32_t>(moves);
  if (has_birth == 1) {
    auto birth = std::make_shared<SessionBirth>();
    if (!take_birth(rest, *birth)) return std::nullopt;
    record.principal = birth->by.principal;
    record.birth = std::move(birth);
  }
  return rest.empty() ? std::optional(std::move(record)) : std::nullopt;
}

}  // namespace limpet::mcp
