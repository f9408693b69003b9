// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern.h"

#include <algorithm>
#include <vector>

#include "daemon/base/text.h"
#include "modules/mcp/json.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

namespace {

// Errors that only the modern revisions define: header mismatch, missing client capability,
// unsupported version.
constexpr bool is_modern_code(std::int64_t code) noexcept {
  return code == -32020 || code == -32021 || code == -32022;
}

RpcAnswer answer_in(std::string_view content_type, std::string_view body, std::string& holder) {
  const std::string_view json = json_in(form_of(content_type), body, holder);
  return json.empty() ? RpcAnswer{} : read_answer(json);
}

bool lists_modern_version(std::string_view result) {
  std::vector<JsonMember> members;
  std::vector<JsonItem> versions;
  if (!read_members(result, members)) return false;
  const JsonItem* list = find(members, "supportedVersions");
  if (list == nullptr || !read_items(list->raw, versions)) return false;
  return std::any_of(versions.begin(), versions.end(), [](const JsonItem& version) {
    return is_modern_version(text_of(version).value_or(std::string()));
  });
}

// The list that an unsupported-version error carries.
bool supports_modern(std::string_view data) {
  std::vector<JsonMember> members;
  std::vector<JsonItem> versions;
  if (!read_members(data, members)) return false;
  const JsonItem* list = find(members, "supported");
  if (list == nullptr || !read_items(list->raw, versions)) return false;
  return std::any_of(versions.begin(), versions.end(), [](const JsonItem& version) {
    return is_modern_version(text_of(version).value_or(std::string()));
  });
}

}  // namespace

std::string created_task(std::string_view result) {
  std::vector<JsonMember> members;
  if (!read_members(result, members)) return {};
  const JsonItem* task = find(members, "task");
  if (task == nullptr) {
    return text_of(members, "resultType") == "task" ? text_of(members, "taskId") : std::string();
  }
  std::vector<JsonMember> inner;
  return read_members(task->raw, inner) ? text_of(inner, "taskId") : std::string();
}

std::string client_name_in(std::string_view request) {
  std::vector<JsonMember> members;
  for (const std::string_view key : {"params", "_meta", "io.modelcontextprotocol/clientInfo"}) {
    if (!read_members(request, members)) return {};
    const JsonItem* inner = find(members, key);
    if (inner == nullptr) return {};
    request = inner->raw;
  }
  return read_members(request, members) ? text_of(members, "name") : std::string();
}

std::string discover_body() {
  return R"({"jsonrpc":"2.0","id":"limpet-discover","method":"server/discover","params":{"_meta":{)"
         R"("io.modelcontextprotocol/protocolVersion":")" +
         std::string(kFirstModernVersion) +
         R"(","io.modelcontextprotocol/clientInfo":{"name":"limpet","version":"1"},)"
         R"("io.modelcontextprotocol/clientCapabilities":{}}}})";
}

Speaks speaks_modern(std::uint16_t status, std::string_view content_type, std::string_view body) {
  if (status == 401 || status == 403 || status == 429 || status >= 500 || status < 200 ||
      status / 100 == 3)
    return Speaks::kUnknown;
  std::string holder;
  const RpcAnswer answer = answer_in(content_type, body, holder);
  if (answer.kind == RpcAnswer::Kind::kResult)
    return lists_modern_version(answer.result) ? Speaks::kYes : Speaks::kNo;
  if (answer.kind == RpcAnswer::Kind::kError && is_modern_code(answer.code)) {
    const bool is_about_version = answer.code == -32022;
    return !is_about_version || supports_modern(answer.data) ? Speaks::kYes : Speaks::kNo;
  }
  return Speaks::kNo;
}

Speaks speaks_sessions(std::uint16_t status, std::string_view content_type, std::string_view body) {
  if (status == 401 || status == 403 || status == 429 || status >= 500 || status < 200)
    return Speaks::kUnknown;
  std::string holder;
  const RpcAnswer answer = answer_in(content_type, body, holder);
  if (answer.kind == RpcAnswer::Kind::kResult) return Speaks::kYes;
  const bool is_refused = answer.kind == RpcAnswer::Kind::kError &&
                          (is_modern_code(answer.code) || answer.code == -32601);
  return is_refused ? Speaks::kNo : Speaks::kUnknown;
}

}  // namespace limpet::mcp
