// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/session_id.h"

#include <array>
#include <cstdint>

#include <sys/random.h>

#include "daemon/base/check.h"

namespace limpet::demo {

std::string new_session_id() {
  std::array<std::uint8_t, 16> bytes{};
  CHECK_THAT(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  std::string id;
  for (const std::uint8_t byte : bytes) {
    id.push_back("0123456789abcdef"[byte >> 4]);
    id.push_back("0123456789abcdef"[byte & 0xf]);
  }
  return id;
}

}  // namespace limpet::demo
