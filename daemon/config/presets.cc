// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/presets.h"

namespace limpet {
namespace {

// The code defaults are those of a web app.
constexpr std::string_view kWebText;

constexpr std::string_view kStrictText = R"(
[affinity]
on_gone = "refuse:503"
on_down = "refuse:503"
on_full = "wait:2s then refuse:503"
)";

// A session lives in one process: a restarted replica has lost it, and a client that is told so by
// 404 opens a new one. A tool may think for as long as it likes before the first byte.
constexpr std::string_view kMcpText = R"(
chain = ["request_id", "headers", "mcp", "affinity", "balance", "health", "retry", "metrics", "access_log"]

[affinity]
from = ["mcp", "cookie"]
incarnation = "strict"
on_gone = "carry-over else refuse:404"
on_down = "wait:1s then carry-over else refuse:404"
on_full = "wait:5s then refuse:503"
on_invalid = "refuse:404"

[balance]
policy = "sessions"

[timeouts]
response_head = "off"
)";

constexpr std::string_view kAzureText = R"(
[affinity]
cookie = { name = "ARRAffinity" }
arr_compat = true
)";

}  // namespace

std::string_view preset_text(Preset preset) noexcept {
  switch (preset) {
    case Preset::kWeb:
      return kWebText;
    case Preset::kStrict:
      return kStrictText;
    case Preset::kMcp:
      return kMcpText;
    case Preset::kAzure:
      return kAzureText;
  }
  return kWebText;
}

std::string_view preset_name(Preset preset) noexcept {
  switch (preset) {
    case Preset::kWeb:
      return "web";
    case Preset::kStrict:
      return "strict";
    case Preset::kMcp:
      return "mcp";
    case Preset::kAzure:
      return "azure";
  }
  return "web";
}

}  // namespace limpet
