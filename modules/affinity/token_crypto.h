// SPDX-License-Identifier: Apache-2.0
#pragma once
// AeadKey: AES-256-GCM with one key, over OpenSSL, whose only home in the modules this is. It knows
// bytes, not tokens: what a token says and how it is written is token.h; where keys come from is
// keyring.h.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace limpet::affinity {

inline constexpr std::size_t kKeyBytes = 32;
using KeyBytes = std::array<std::uint8_t, kKeyBytes>;

/// One key with its cipher contexts made ready, so that a call neither fetches nor allocates.
/// Owns: the contexts, which hold the key's schedule; they are wiped when freed.
/// Thread: one at a time.
class AeadKey {
 public:
  static constexpr std::size_t kNonceBytes = 12;
  /// 112 bits, a tag length of NIST SP 800-38D section 5.2.1.2; it lets a token be 56 bytes.
  static constexpr std::size_t kTagBytes = 14;

  explicit AeadKey(const KeyBytes& key);
  AeadKey(AeadKey&& other) noexcept;
  AeadKey& operator=(AeadKey&& other) noexcept;
  ~AeadKey();

  /// Text that is authenticated but not encrypted, in two parts.
  struct Bound {
    std::string_view first;
    std::string_view second;
  };

  /// Writes the ciphertext of `plain` to `out`, and the tag behind it.
  /// Errors: false where OpenSSL refuses; nothing stays in its error queue.
  [[nodiscard]] bool seal(const std::uint8_t* nonce, Bound bound, std::string_view plain,
                          std::uint8_t* out) noexcept;
  /// Writes the plain text of `sealed` (ciphertext and tag) to `out`.
  /// Errors: false where it does not verify; `out` is then meaningless.
  [[nodiscard]] bool open(const std::uint8_t* nonce, Bound bound, std::string_view sealed,
                          std::uint8_t* out) noexcept;

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

/// Eight bits that tell keys apart, and say nothing else of them (a part of a SHA-256).
[[nodiscard]] std::uint8_t key_id_of(const KeyBytes& key) noexcept;

/// Bytes from the kernel that nobody can foresee.
/// Errors: false where the kernel gives none.
[[nodiscard]] bool fill_random(std::span<std::uint8_t> bytes) noexcept;

/// Overwrites a key that is not needed any more.
void wipe(std::span<std::uint8_t> bytes) noexcept;

}  // namespace limpet::affinity
