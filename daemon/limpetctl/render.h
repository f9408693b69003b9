// SPDX-License-Identifier: Apache-2.0
#pragma once
// Render: the daemon's JSON answers as text for people. nlohmann-json's home in limpetctl.

#include <string>

#include "daemon/limpetctl/command.h"

namespace limpet::ctl {

/// The body of the question that a command asks; "" where it has none.
[[nodiscard]] std::string question_body(const Command& command);
/// A good answer in words; `is_whole` becomes false where the answer is not what was hoped for
/// (nothing explained, not drained in time).
struct Rendered {
  std::string text;
  bool is_whole = true;
};
[[nodiscard]] Rendered render(const Command& command, const std::string& body);
/// The sentence in a refusal.
[[nodiscard]] std::string refusal_text(const std::string& body);

}  // namespace limpet::ctl
