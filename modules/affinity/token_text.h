// SPDX-License-Identifier: Apache-2.0
#pragma once
// Token text: 56 bytes as 77 letters and digits and back, eight bytes as eleven digits of base 62.
// Letters and digits alone pass every cookie, header and session id alphabet; every value has one
// spelling. It knows nothing of what the bytes mean.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace limpet::affinity {

inline constexpr std::size_t kTokenBlocks = 7;
inline constexpr std::size_t kTokenBytes = kTokenBlocks * 8;
inline constexpr std::size_t kTokenLetters = kTokenBlocks * 11;

/// Writes kTokenLetters letters.
void write_letters(const std::uint8_t* bytes, char* out) noexcept;

/// Writes kTokenBytes bytes.
/// Errors: false for another length, another letter, or a block beyond 64 bits.
[[nodiscard]] bool read_letters(std::string_view text, std::uint8_t* out) noexcept;

}  // namespace limpet::affinity
