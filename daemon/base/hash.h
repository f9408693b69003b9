// SPDX-License-Identifier: Apache-2.0
#pragma once
// Hashes: one stable hash (XXH3), the same on every machine and release, for rendezvous placement
// and table keys. Not for anything an attacker must not foresee; tokens have their own
// authenticated encryption.

#include <cstdint>
#include <string_view>

namespace limpet {

[[nodiscard]] std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed = 0) noexcept;

}  // namespace limpet
