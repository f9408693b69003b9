// SPDX-License-Identifier: Apache-2.0
#pragma once
// Own fields: the header fields that limpet keeps to itself, so that no module lets a configuration
// name them. Neighbour: http/headers.h.

#include <string_view>

namespace limpet {

/// Why a configuration may not set or remove the field of that lower-case name, as the end of a
/// sentence; empty where it may.
[[nodiscard]] std::string_view refusal_of_field(std::string_view lower_case_name) noexcept;

}  // namespace limpet
