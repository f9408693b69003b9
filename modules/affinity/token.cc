// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/token.h"

#include <cstring>

#include "daemon/base/hash.h"

namespace limpet::affinity {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeadBytes = 2;  // version, key id
constexpr std::size_t kPlainBytes = 28;
constexpr std::size_t kNonceAt = kHeadBytes;
constexpr std::size_t kSealedAt = kNonceAt + AeadKey::kNonceBytes;
static_assert(kSealedAt + kPlainBytes + AeadKey::kTagBytes == kTokenBytes);

// Seeds that keep the marks of replicas and pools apart.
constexpr std::uint64_t kReplicaSeed = 0x6c696d7065747265;
constexpr std::uint64_t kPoolSeed = 0x6c696d706574706f;

template <typename Number>
std::uint8_t* store(std::uint8_t* at, Number value) noexcept {
  for (std::size_t i = sizeof value; i-- > 0;)
    *at++ = static_cast<std::uint8_t>(value >> (8 * i));
  return at;
}

template <typename Number>
const std::uint8_t* load(const std::uint8_t* at, Number& value) noexcept {
  value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value = static_cast<Number>(value << 8 | *at++);
  return at;
}

std::uint32_t seconds_of(WallSeconds when) noexcept {
  return static_cast<std::uint32_t>(when.time_since_epoch().count());
}

WallSeconds from_seconds(std::uint32_t seconds) noexcept {
  return WallSeconds(std::chrono::seconds(seconds));
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t count) noexcept {
  return {reinterpret_cast<const char*>(bytes), count};
}

}  // namespace

std::uint64_t replica_mark(std::string_view id) noexcept { return stable_hash(id, kReplicaSeed); }
std::uint64_t pool_mark(std::string_view name) noexcept { return stable_hash(name, kPoolSeed); }
std::uint32_t incarnation_mark(std::uint64_t hash) noexcept {
  if (hash == 0) return 0;
  const auto low = static_cast<std::uint32_t>(hash ^ hash >> 32);
  return low == 0 ? 1 : low;
}

TokenBox::TokenBox(std::span<const Key> keys) {
  slots_.reserve(keys.size());
  for (const Key& key : keys)
    slots_.push_back(Slot{key.id, AeadKey(key.bytes)});
}

bool TokenBox::take_nonce(std::uint8_t* out) noexcept {
  if (nonces_left_ == 0) {
    if (!fill_random(nonces_)) return false;
    nonces_left_ = kNoncesHeld;
  }
  --nonces_left_;
  std::memcpy(out, nonces_.data() + nonces_left_ * AeadKey::kNonceBytes, AeadKey::kNonceBytes);
  return true;
}

bool TokenBox::seal(const TokenFacts& facts, Purpose purpose, std::string_view bound,
                    char* out) noexcept {
  if (slots_.empty()) return false;
  Slot& slot = slots_.front();
  std::array<std::uint8_t, kPlainBytes> plain;
  std::uint8_t* at = store(plain.data(), facts.replica);
  at = store(at, facts.pool);
  at = store(at, facts.incarnation);
  at = store(at, seconds_of(facts.issued));
  store(at, seconds_of(facts.last_seen));

  std::array<std::uint8_t, kTokenBytes> token;
  token[0] = kVersion;
  token[1] = slot.id;
  if (!take_nonce(token.data() + kNonceAt)) return false;
  const std::array<std::uint8_t, 3> head = {kVersion, slot.id, static_cast<std::uint8_t>(purpose)};
  if (!slot.key.seal(token.data() + kNonceAt, {text_of(head.data(), head.size()), bound},
                     text_of(plain.data(), plain.size()), token.data() + kSealedAt)) {
    return false;
  }
  write_letters(token.data(), out);
  return true;
}

Opening TokenBox::open(std::string_view text, Purpose purpose, std::string_view bound,
                       TokenFacts& facts) noexcept {
  std::array<std::uint8_t, kTokenBytes> token;
  if (!read_letters(text, token.data()) || token[0] != kVersion) return Opening::kMalformed;
  const std::array<std::uint8_t, 3> head = {token[0], token[1], static_cast<std::uint8_t>(purpose)};
  std::array<std::uint8_t, kPlainBytes> plain;
  Opening ending = Opening::kUnknownKey;
  for (Slot& slot : slots_) {
    if (slot.id != token[1]) continue;
    ending = Opening::kForged;
    if (!slot.key.open(token.data() + kNonceAt, {text_of(head.data(), head.size()), bound},
                       text_of(token.data() + kSealedAt, kTokenBytes - kSealedAt), plain.data())) {
      continue;
    }
    std::uint32_t issued = 0;
    std::uint32_t last_seen = 0;
    const std::uint8_t* at = load(plain.data(), facts.replica);
    at = load(at, facts.pool);
    at = load(at, facts.incarnation);
    at = load(at, issued);
    load(at, last_seen);
    facts.issued = from_seconds(issued);
    facts.last_seen = from_seconds(last_seen);
    return Opening::kOpened;
  }
  return ending;
}

int TokenBox::key_id(std::string_view text) noexcept {
  std::array<std::uint8_t, kTokenBytes> token;
  if (!read_letters(text, token.data()) || token[0] != kVersion) return -1;
  return token[1];
}

}  // namespace limpet::affinity
