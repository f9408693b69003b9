// SPDX-License-Identifier: Apache-2.0
#pragma once
// Environment: ${NAME} and ${NAME:-default} in the texts of a configuration. It replaces, it does
// not decide where: parse.cc applies it to every text value, never to keys.

#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace limpet {

/// The text with ${NAME} replaced by the variable's value, ${NAME:-default} by the default where
/// the variable is unset or empty, and $$ by a dollar sign. A dollar sign in front of anything else
/// stays. Errors: an unset variable without default, a name that is none, a missing brace.
[[nodiscard]] Result<std::string> expand_environment(std::string_view text);

/// The text with dollar signs doubled, so that expand_environment() gives it back.
[[nodiscard]] std::string escape_dollars(std::string_view text);

}  // namespace limpet
