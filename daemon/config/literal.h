// SPDX-License-Identifier: Apache-2.0
#pragma once
// Literal: values as TOML writes them. The ledger keeps them for --dump; nothing is parsed here.

#include <string>
#include <string_view>
#include <vector>

namespace limpet::literal {

/// A quoted text, with dollar signs doubled so that no ${NAME} comes alive when it is read again.
[[nodiscard]] std::string text(std::string_view value);
/// A key, quoted where it must be.
[[nodiscard]] std::string key(std::string_view name);
[[nodiscard]] std::string real(double value);
[[nodiscard]] std::string flag(bool value);
[[nodiscard]] std::string texts(const std::vector<std::string>& values);

}  // namespace limpet::literal
