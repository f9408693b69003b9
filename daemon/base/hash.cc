// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/hash.h"

#include <xxhash.h>

namespace limpet {

std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace limpet
