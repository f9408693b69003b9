// SPDX-License-Identifier: Apache-2.0
#pragma once
// The version of this tree; the only place that says it.

#include <string_view>

namespace limpet {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace limpet
