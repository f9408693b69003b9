// SPDX-License-Identifier: Apache-2.0
#pragma once
// ProxyVersion: which form of the PROXY protocol stands before a connection's own bytes, if any. It
// is here since both the configuration and http/proxy_header.h, which reads and writes the forms,
// speak of it.

#include <cstdint>

namespace limpet {

/// k1: a line of text; k2: binary.
enum class ProxyVersion : std::uint8_t { kNone, k1, k2 };

}  // namespace limpet
