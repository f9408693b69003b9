// SPDX-License-Identifier: Apache-2.0
#pragma once
// Page: the status page of the admin listener: one text with its style and script inside, which
// asks /api/v1/status every two seconds. It shows; it changes nothing.

#include <string>

namespace limpet::control {

[[nodiscard]] std::string status_page();

}  // namespace limpet::control
