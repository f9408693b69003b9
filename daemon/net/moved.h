// SPDX-License-Identifier: Apache-2.0
#pragma once
// Moved: how a read or a write on a connection went, plain or TLS. Errors have no text here: what a
// broken connection means is judged by who owns it.

#include <cstddef>

namespace limpet {

/// How a read or a write went.
struct Moved {
  enum class How : unsigned char {
    kSome,     ///< `bytes` of them, at least one
    kBlocked,  ///< nothing now; the watch tells when
    kEnded,    ///< read: the other side closed its half
    kFailed,   ///< the connection is broken
  };
  How how = How::kBlocked;
  std::size_t bytes = 0;
};

}  // namespace limpet
