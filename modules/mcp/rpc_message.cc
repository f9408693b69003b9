// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/rpc_message.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "modules/mcp/json.h"

namespace limpet::mcp {

namespace {

constexpr std::array<std::pair<std::string_view, RpcMethod>, 9> kMethods = {{
    {"initialize", RpcMethod::kInitialize},
    {"notifications/initialized", RpcMethod::kInitialized},
    {"ping", RpcMethod::kPing},
    {"logging/setLevel", RpcMethod::kSetLevel},
    {"resources/subscribe", RpcMethod::kSubscribe},
    {"resources/unsubscribe", RpcMethod::kUnsubscribe},
    {"tools/call", RpcMethod::kCallTool},
    {"server/discover", RpcMethod::kDiscover},
    {"subscriptions/listen", RpcMethod::kListen},
}};

// What the protocol defines as reading, or as setting a value.
constexpr std::array<std::string_view, 14> kRepeatable = {"ping",
                                                          "tools/list",
                                                          "prompts/list",
                                                          "resources/list",
                                                          "roots/list",
                                                          "prompts/get",
                                                          "resources/read",
                                                          "resources/templates/list",
                                                          "tasks/get",
                                                          "tasks/list",
                                                          "completion/complete",
                                                          "resources/subscribe",
                                                          "logging/setLevel",
                                                          "resources/unsubscribe"};

constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kMetaClient = "io.modelcontextprotocol/clientInfo";

std::string_view raw_of(const std::vector<JsonMember>& members, std::string_view key,
                        JsonKind kind) noexcept {
  const JsonItem* item = find(members, key);
  return item == nullptr || item->kind != kind ? std::string_view{} : item->raw;
}

void read_client(const std::vector<JsonMember>& members, std::string_view key,
                 RpcMessage& message) {
  std::vector<JsonMember> info;
  const std::string_view raw = raw_of(members, key, JsonKind::kObject);
  if (raw.empty() || !read_members(raw, info)) return;
  message.client_name = text_of(info, "name");
  message.client_version = text_of(info, "version");
}

void read_meta(const std::vector<JsonMember>& params, RpcMessage& message) {
  message.meta = raw_of(params, "_meta", JsonKind::kObject);
  std::vector<JsonMember> meta;
  if (message.meta.empty() || !read_members(message.meta, meta)) return;
  const JsonItem* version = find(meta, kMetaVersion);
  if (version == nullptr) return;
  message.claims_modern = true;
  message.protocol_version = text_of(*version).value_or(std::string());
  read_client(meta, kMetaClient, message);
}

// False where params could be read in two ways.
bool read_params(std::string_view raw, RpcMessage& message) {
  std::vector<JsonMember> params;
  if (!read_members(raw, params)) return false;
  read_meta(params, message);
  message.name = text_of(params, "name");
  message.uri = text_of(params, "uri");
  if (message.method == RpcMethod::kSetLevel) message.level = text_of(params, "level");
  if (message.method == RpcMethod::kListen)
    message.notifications = raw_of(params, "notifications", JsonKind::kObject);
  if (message.method == RpcMethod::kInitialize) {
    message.protocol_version = text_of(params, "protocolVersion");
    message.capabilities = raw_of(params, "capabilities", JsonKind::kObject);
    read_client(params, "clientInfo", message);
  }
  return true;
}

// A number or a text: JSON-RPC 2.0 section 4; fractions are odd but answerable.
bool is_id(const JsonItem& item) noexcept {
  return (item.kind == JsonKind::kNumber || item.kind == JsonKind::kText) &&
         item.raw.size() <= kIdBytesMax;
}

RpcKind kind_of(const std::vector<JsonMember>& members, const JsonItem* method) {
  const JsonItem* id = find(members, "id");
  if (method != nullptr) {
    if (method->kind != JsonKind::kText) return RpcKind::kUnreadable;
    if (id == nullptr) return RpcKind::kNotification;
    return is_id(*id) ? RpcKind::kRequest : RpcKind::kUnreadable;
  }
  const bool is_answer = find(members, "result") != nullptr || find(members, "error") != nullptr;
  return is_answer ? RpcKind::kResponse : RpcKind::kUnreadable;
}

std::string_view without_space(std::string_view body) noexcept {
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view{} : body.substr(first);
}

}  // namespace

RpcMessage read_message(std::string_view body) {
  RpcMessage message;
  const std::string_view text = without_space(body);
  if (text.empty() || body.size() > kMessageBytesMax) return message;
  if (text.front() == '[') {
    std::vector<JsonItem> items;
    if (read_items(text, items) && !items.empty()) message.kind = RpcKind::kBatch;
    return message;
  }
  std::vector<JsonMember> members;
  if (!read_members(text, members) || text_of(members, "jsonrpc") != "2.0") return message;
  const JsonItem* method = find(members, "method");
  message.kind = kind_of(members, method);
  if (message.kind == RpcKind::kUnreadable) return message;
  if (const JsonItem* id = find(members, "id"); id != nullptr && is_id(*id)) message.id = id->raw;
  if (method == nullptr) return message;
  message.method_text = text_of(*method).value_or(std::string());
  message.method = method_of(message.method_text);
  const std::string_view params = raw_of(members, "params", JsonKind::kObject);
  if (!params.empty() && !read_params(params, message)) return RpcMessage{};
  return message;
}

RpcMethod method_of(std::string_view text) noexcept {
  for (const auto& [name, method] : kMethods) {
    if (name == text) return method;
  }
  return RpcMethod::kOther;
}

bool is_safe_to_repeat(const RpcMessage& message) noexcept {
  return message.kind == RpcKind::kRequest && std::find(kRepeatable.begin(), kRepeatable.end(),
                                                        message.method_text) != kRepeatable.end();
}

std::string error_body(std::string_view id, std::int64_t code, std::string_view message) {
  std::string body =
      R"({"jsonrpc":"2.0","error":{"code":)" + std::to_string(code) + R"(,"message":)";
  append_quoted(body, message);
  body += R"(},"id":)";
  body += id.empty() ? std::string_view("null") : id;
  body += '}';
  return body;
}

}  // namespace limpet::mcp
