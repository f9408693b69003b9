// SPDX-License-Identifier: Apache-2.0
#pragma once
// Token: limpet's own authenticated value that names a replica, and TokenBox, which seals and opens
// it with a key ring. Its form:
//   version 1 | key id 1 | nonce 12 | replica 8, pool 8, incarnation 4, issued 4, last seen 4
//   (encrypted) | tag 14
// written as 77 letters and digits (token_text.h). The tag also covers version, key id, purpose
// and, for a session id, the id that the replica made. It does not know what to do with a token:
// judge.h does.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "modules/affinity/keyring.h"
#include "modules/affinity/token_crypto.h"
#include "modules/affinity/token_text.h"

namespace limpet::affinity {

/// What a token was sealed for; one sealed for another purpose does not open.
enum class Purpose : std::uint8_t { kCookie = 'c', kSession = 'm' };

/// What a token says.
struct TokenFacts {
  std::uint64_t replica = 0;      ///< replica_mark() of its id
  std::uint64_t pool = 0;         ///< pool_mark() of its name
  std::uint32_t incarnation = 0;  ///< incarnation_mark() of what the replica reported, 0 = nothing
  WallSeconds issued{};           ///< when the session was placed on the replica
  WallSeconds last_seen{};        ///< the beginning of the bucket of time in which it was sealed

  friend bool operator==(const TokenFacts&, const TokenFacts&) = default;
};

/// How opening ended.
enum class Opening : std::uint8_t {
  kOpened,
  kMalformed,   ///< not of the form
  kUnknownKey,  ///< no key of the ring has its key id
  kForged,      ///< altered, bound to something else, or sealed with a key that is not in the ring
};

/// The stable marks that tokens carry in place of names, so that a token's length tells nothing.
[[nodiscard]] std::uint64_t replica_mark(std::string_view id) noexcept;
[[nodiscard]] std::uint64_t pool_mark(std::string_view name) noexcept;
/// The 32 bits of a reported incarnation's hash (Vitals::incarnation) that a token carries; never 0
/// but for 0.
[[nodiscard]] std::uint32_t incarnation_mark(std::uint64_t hash) noexcept;

/// Seals and opens tokens with the keys of a ring.
/// Thread: one at a time; each worker has its own.
class TokenBox {
 public:
  /// The first key seals, all open; without any, nothing is sealed and nothing opens.
  explicit TokenBox(std::span<const Key> keys);

  /// Writes kTokenLetters letters to `out`. `bound` is authenticated with it and must be given
  /// again to open it. Errors: false where the kernel has no random bytes or the cipher fails; then
  /// there is no token. Cost: under a microsecond, no allocation.
  [[nodiscard]] bool seal(const TokenFacts& facts, Purpose purpose, std::string_view bound,
                          char* out) noexcept;
  /// Reads a token. `facts` is written only where the answer is kOpened.
  /// Cost: under a microsecond, no allocation; compares in constant time.
  [[nodiscard]] Opening open(std::string_view text, Purpose purpose, std::string_view bound,
                             TokenFacts& facts) noexcept;
  /// The key id that a text of the form claims, for explain; -1 for other texts.
  [[nodiscard]] static int key_id(std::string_view text) noexcept;

 private:
  struct Slot {
    std::uint8_t id;
    AeadKey key;
  };
  [[nodiscard]] bool take_nonce(std::uint8_t* out) noexcept;

  static constexpr std::size_t kNoncesHeld = 21;  // in the 256 bytes that the kernel gives at once
  std::vector<Slot> slots_;
  std::array<std::uint8_t, kNoncesHeld * AeadKey::kNonceBytes> nonces_{};
  std::size_t nonces_left_ = 0;
};

}  // namespace limpet::affinity
