// SPDX-License-Identifier: Apache-2.0
#pragma once
// The ids that a sample replica gives its own sessions: random, and known to that replica alone.
// They are the application's, not limpet's tokens.

#include <string>

namespace limpet::demo {

/// A new id: 128 random bits as 32 hexadecimal digits.
[[nodiscard]] std::string new_session_id();

}  // namespace limpet::demo
