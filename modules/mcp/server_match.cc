// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/server_match.h"

#include <vector>

#include "daemon/base/text.h"
#include "modules/mcp/json.h"

namespace limpet::mcp {

namespace {

// Deeper capabilities than any server has; they count as different.
constexpr unsigned kDepthMax = 16;

bool is_nothing(const JsonItem& item) noexcept { return item.raw == "false" || item.raw == "null"; }

bool covers_item(const JsonItem& after, const JsonItem& before, unsigned depth) {
  if (is_nothing(before)) return true;
  if (after.kind != before.kind || depth > kDepthMax) return false;
  if (before.kind == JsonKind::kText) return text_of(after) == text_of(before);
  if (before.kind != JsonKind::kObject) return after.raw == before.raw;
  std::vector<JsonMember> held;
  std::vector<JsonMember> wanted;
  if (!read_members(after.raw, held) || !read_members(before.raw, wanted)) return false;
  for (const JsonMember& member : wanted) {
    if (is_nothing(member.value)) continue;
    const JsonItem* found = find(held, member.key);
    if (found == nullptr || !covers_item(*found, member.value, depth + 1)) return false;
  }
  return true;
}

// Capabilities can be long; their beginning shows which ones are meant.
constexpr std::size_t kShownBytes = 240;

std::string differs(std::string_view what, std::string_view before, std::string_view after) {
  return std::string(what) + " was \"" + text::escaped(before.substr(0, kShownBytes)) +
         "\" and is \"" + text::escaped(after.substr(0, kShownBytes)) + "\"";
}

}  // namespace

bool covers(std::string_view after, std::string_view before) {
  return covers_item({JsonKind::kObject, after}, {JsonKind::kObject, before}, 0);
}

std::string difference(const ServerFacts& before, const ServerFacts& after, CarryPolicy policy) {
  if (policy == CarryPolicy::kOff) return "carry_over is off";
  if (before.protocol_version != after.protocol_version)
    return differs("the protocol version", before.protocol_version, after.protocol_version);
  if (policy == CarryPolicy::kAlways) return {};
  if (before.name != after.name) return differs("the server's name", before.name, after.name);
  if (before.version != after.version)
    return differs("the server's version", before.version, after.version);
  if (!covers(after.capabilities, before.capabilities))
    return differs("the server's capabilities", before.capabilities, after.capabilities);
  return {};
}

}  // namespace limpet::mcp
