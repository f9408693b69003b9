// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_store.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "daemon/base/hash.h"
#include "daemon/base/random.h"

namespace limpet::mcp {

namespace {

// A bound for one shard. Ids are spread evenly, but few sessions must not be refused for it.
std::size_t share_of(std::size_t total, std::size_t shards) noexcept {
  return std::max<std::size_t>(1, (total + shards - 1) / shards);
}

}  // namespace

std::size_t SessionStore::Hash::operator()(std::string_view id) const noexcept {
  return stable_hash(id, seed);
}

SessionStore::SessionStore(StoreBounds bounds) : bounds_(bounds) {
  hash_.seed = Random::from_kernel().next();
  shards_.reserve(kShards);
  for (std::size_t i = 0; i < kShards; ++i)
    shards_.push_back(std::make_unique<Shard>(hash_));
}

// The table uses the low bits of the same hash.
SessionStore::Shard& SessionStore::shard_of(std::string_view id) noexcept {
  return *shards_[(hash_(id) >> 48U) % kShards];
}

bool SessionStore::is_dead(Shard& shard, std::uint64_t key, Instant now) {
  while (!shard.tombstone_order.empty() && shard.tombstone_order.front().until <= now) {
    const auto at = shard.tombstones.find(shard.tombstone_order.front().key);
    // Buried twice: the later burial counts.
    if (at != shard.tombstones.end() && at->second <= now) shard.tombstones.erase(at);
    shard.tombstone_order.pop_front();
  }
  const auto at = shard.tombstones.find(key);
  return at != shard.tombstones.end() && at->second > now;
}

void SessionStore::use(Shard& shard, Entry& entry, Instant now) {
  entry.used = std::max(entry.used, now);
  if (entry.is_released) count_in(shard, entry);
  shard.order.splice(shard.order.end(), shard.order, entry.place);
}

void SessionStore::remove(Shard& shard, Table::iterator at) {
  count_out(shard, at->second);
  shard.counts.bytes -= at->second.bytes;
  shard.order.erase(at->second.place);
  shard.table.erase(at);
}

void SessionStore::count_in(Shard& shard, Entry& entry) {
  entry.is_released = false;
  ++shard.living[entry.record.home.replica];
}

void SessionStore::count_out(Shard& shard, Entry& entry) {
  if (std::exchange(entry.is_released, true)) return;
  const auto at = shard.living.find(entry.record.home.replica);
  if (at != shard.living.end() && --at->second == 0) shard.living.erase(at);
}

std::size_t SessionStore::release_idle(std::string_view replica, Instant now, Duration idle) {
  std::size_t released = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    if (shard->living.find(replica) == shard->living.end()) continue;
    for (auto& [id, entry] : shard->table) {
      if (entry.is_released || entry.record.home.replica != replica ||
          entry.record.birth == nullptr || now - entry.used < idle)
        continue;
      count_out(*shard, entry);
      ++released;
    }
  }
  return released;
}

void SessionStore::take_back(std::string_view replica) {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    for (auto& [id, entry] : shard->table) {
      if (entry.is_released && entry.record.home.replica == replica) count_in(*shard, entry);
    }
  }
}

void SessionStore::make_room(Shard& shard) const {
  const std::size_t records_max = share_of(bounds_.records_max, kShards);
  const std::size_t bytes_max = share_of(bounds_.bytes_max, kShards);
  while (shard.table.size() > 1 &&
         (shard.table.size() > records_max || shard.counts.bytes > bytes_max)) {
    remove(shard, shard.table.find(*shard.order.front()));
    ++shard.counts.evicted;
  }
}

Keeping SessionStore::keep(std::string_view id, SessionRecord record, Instant now) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  if (is_dead(shard, hash_(id), now)) return Keeping::kBuried;
  if (record.bytes() > bounds_.record_bytes_max) {
    ++shard.counts.too_large;
    return Keeping::kTooLarge;
  }
  if (const auto old = shard.table.find(id); old != shard.table.end()) remove(shard, old);
  put_in(shard, id, std::move(record), now);
  return Keeping::kKept;
}

void SessionStore::meet(std::string_view id, SessionHome home, Instant now) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  if (const auto at = shard.table.find(id); at != shard.table.end())
    return use(shard, at->second, now);
  if (!is_dead(shard, hash_(id), now))
    put_in(shard, id, SessionRecord{.birth = nullptr, .home = std::move(home)}, now);
}

bool SessionStore::knows_birth(std::string_view id) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.table.find(id);
  return at != shard.table.end() && at->second.record.birth != nullptr;
}

void SessionStore::put_in(Shard& shard, std::string_view id, SessionRecord record, Instant now) {
  const std::size_t bytes = record.bytes() + id.size() + sizeof(Entry);
  const auto [at, is_new] = shard.table.emplace(std::string(id), Entry{});
  Entry& entry = at->second;
  entry.record = std::move(record);
  entry.bytes = bytes;
  entry.used = now;
  entry.place = shard.order.insert(shard.order.end(), &at->first);
  shard.counts.bytes += bytes;
  count_in(shard, entry);
  make_room(shard);
}

std::optional<SessionRecord> SessionStore::find(std::string_view id, Instant now) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.table.find(id);
  if (at == shard.table.end()) return std::nullopt;
  use(shard, at->second, now);
  return at->second.record;
}

std::optional<SessionHome> SessionStore::home_of(std::string_view id, Instant now) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.table.find(id);
  if (at == shard.table.end()) return std::nullopt;
  use(shard, at->second, now);
  return at->second.record.home;
}

// Applies a change to a copy first: one that makes the record too large is as if it had not been.
template <typename Change>
Keeping SessionStore::change(std::string_view id, const Change& apply) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto at = shard.table.find(id);
  if (at == shard.table.end()) return Keeping::kUnknown;
  SessionRecord changed = at->second.record;
  if (!apply(changed) || changed.bytes() > bounds_.record_bytes_max) {
    ++shard.counts.too_large;
    return Keeping::kTooLarge;
  }
  const std::size_t before = at->second.record.bytes();
  const std::size_t after = changed.bytes();
  count_out(shard, at->second);
  at->second.record = std::move(changed);
  count_in(shard, at->second);
  at->second.bytes += after - before;
  shard.counts.bytes += after - before;
  make_room(shard);
  return Keeping::kKept;
}

Keeping SessionStore::set_level(std::string_view id, std::string_view level) {
  return change(id, [&](SessionRecord& record) {
    record.level = level;
    return true;
  });
}

Keeping SessionStore::subscribe(std::string_view id, std::string_view uri) {
  return change(id, [&](SessionRecord& record) {
    auto& uris = record.subscriptions;
    if (std::find(uris.begin(), uris.end(), uri) != uris.end()) return true;
    if (uris.size() >= bounds_.subscriptions_max) return false;
    uris.emplace_back(uri);
    return true;
  });
}

Keeping SessionStore::unsubscribe(std::string_view id, std::string_view uri) {
  return change(id, [&](SessionRecord& record) {
    std::erase(record.subscriptions, uri);
    return true;
  });
}

Keeping SessionStore::move(std::string_view id, SessionHome home, Instant now) {
  Shard& shard = shard_of(id);
  {
    const std::lock_guard lock(shard.mutex);
    if (is_dead(shard, hash_(id), now)) return Keeping::kBuried;
  }
  return change(id, [&](SessionRecord& record) {
    const std::uint32_t moves = record.home.moves + 1;
    record.home = std::move(home);
    record.home.moves = moves;
    return true;
  });
}

Keeping SessionStore::renew(std::string_view id, const ServerFacts& server) {
  return change(id, [&](SessionRecord& record) {
    if (record.birth == nullptr) return true;
    auto birth = std::make_shared<SessionBirth>(*record.birth);
    birth->server = server;
    record.birth = std::move(birth);
    return true;
  });
}

void SessionStore::bury(std::string_view id, Instant now) {
  Shard& shard = shard_of(id);
  const std::uint64_t key = hash_(id);
  const std::lock_guard lock(shard.mutex);
  if (const auto at = shard.table.find(id); at != shard.table.end()) remove(shard, at);
  static_cast<void>(is_dead(shard, key, now));
  const Instant until = deadline_after(now, bounds_.tombstone_time);
  if (shard.tombstone_order.size() >= share_of(bounds_.tombstones_max, kShards)) {
    shard.tombstones.erase(shard.tombstone_order.front().key);
    shard.tombstone_order.pop_front();
    ++shard.counts.tombstones_evicted;
  }
  shard.tombstones[key] = until;
  shard.tombstone_order.push_back({key, until});
}

bool SessionStore::is_buried(std::string_view id, Instant now) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  return is_dead(shard, hash_(id), now);
}

void SessionStore::forget(std::string_view id) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  if (const auto at = shard.table.find(id); at != shard.table.end()) remove(shard, at);
}

void SessionStore::touch(std::string_view id, Instant now) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  if (const auto at = shard.table.find(id); at != shard.table.end()) use(shard, at->second, now);
}

std::vector<IdleSession> SessionStore::idle_since(Instant now, Duration idle, std::size_t at_most) {
  std::vector<IdleSession> found;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    for (const std::string* id : shard->order) {
      const Entry& entry = shard->table.find(*id)->second;
      if (found.size() >= at_most || now - entry.used < idle) break;
      const SessionRecord& record = entry.record;
      found.push_back(
          {*id, record.home, record.birth == nullptr ? "" : record.birth->server.protocol_version,
           record.birth == nullptr ? "/" : record.birth->target,
           record.birth != nullptr && record.birth->by.credential != 0, record.birth == nullptr});
    }
  }
  return found;
}

std::vector<std::string> SessionStore::living_on(std::string_view replica, std::size_t at_most) {
  std::vector<std::string> found;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    for (const auto& [id, entry] : shard->table) {
      if (found.size() >= at_most) return found;
      if (entry.record.home.replica == replica) found.push_back(id);
    }
  }
  return found;
}

std::map<std::string, std::uint64_t> SessionStore::living() {
  std::map<std::string, std::uint64_t> total;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    for (const auto& [replica, count] : shard->living)
      total[replica] += count;
  }
  return total;
}

std::uint64_t SessionStore::count_on(std::string_view replica) {
  std::uint64_t total = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    if (const auto at = shard->living.find(replica); at != shard->living.end()) total += at->second;
  }
  return total;
}

StoreCounts SessionStore::counts() {
  StoreCounts total;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    total.records += shard->table.size();
    total.bytes += shard->counts.bytes;
    total.tombstones += shard->tombstones.size();
    total.evicted += shard->counts.evicted;
    total.too_large += shard->counts.too_large;
    total.tombstones_evicted += shard->counts.tombstones_evicted;
  }
  return total;
}

}  // namespace limpet::mcp
