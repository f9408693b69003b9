// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/announcement.h"

#include <array>
#include <utility>
#include <vector>

#include "modules/mcp/json.h"

namespace limpet::mcp {

namespace {

constexpr std::string_view kWarning =
    R"(event: message
data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"limpet","data":"The server that held this session is gone; the session was opened anew on another one. What the server kept in memory for it is lost."}}

)";

std::string list_changed(std::string_view list) {
  return "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/" +
         std::string(list) + "/list_changed\"}\n\n";
}

bool announces_changes(const JsonItem& capability) {
  std::vector<JsonMember> members;
  if (!read_members(capability.raw, members)) return false;
  const JsonItem* flag = find(members, "listChanged");
  return flag != nullptr && flag->raw == "true";
}

}  // namespace

std::string announcement(std::string_view capabilities) {
  std::vector<JsonMember> members;
  if (!read_members(capabilities, members)) return {};
  std::string events;
  if (find(members, "logging") != nullptr) events += kWarning;
  for (const std::string_view list : {"tools", "prompts", "resources"}) {
    const JsonItem* capability = find(members, list);
    if (capability != nullptr && announces_changes(*capability)) events += list_changed(list);
  }
  return events;
}

}  // namespace limpet::mcp
