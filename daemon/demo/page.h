// SPDX-License-Identifier: Apache-2.0
#pragma once
// The page that a sample replica serves at "/": one text without anything from elsewhere. It shows
// who answers, and lets a person count, listen to the clock and talk to the echo.

#include <string_view>

namespace limpet::demo {

/// HTML, UTF-8.
extern const std::string_view kPage;

}  // namespace limpet::demo
