// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/mcp_message.h"

#include <nlohmann/json.hpp>

namespace limpet::demo {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json object_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

RpcMessage::Kind kind_of(const Json& message, bool has_id) {
  if (message.contains("method")) {
    return has_id ? RpcMessage::Kind::kRequest : RpcMessage::Kind::kNotification;
  }
  const bool is_answer = message.contains("result") || message.contains("error");
  return has_id && is_answer ? RpcMessage::Kind::kResponse : RpcMessage::Kind::kInvalid;
}

RpcMessage read(std::string_view body) {
  RpcMessage read;
  const Json message = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (message.is_discarded()) return read;
  read.kind = RpcMessage::Kind::kInvalid;
  if (!message.is_object() || text_at(message, "jsonrpc") != "2.0") return read;

  const auto id = message.find("id");
  const bool has_id = id != message.end();
  if (has_id && !id->is_string() && !id->is_number_integer()) return read;
  if (message.contains("method") && !message["method"].is_string()) return read;
  if (has_id) read.id_json = id->dump();
  read.kind = kind_of(message, has_id);
  read.method = text_at(message, "method");

  const Json params = object_at(message, "params");
  read.protocol_version = text_at(params, "protocolVersion");
  read.tool = text_at(params, "name");
  const Json arguments = object_at(params, "arguments");
  const auto text = arguments.find("text");
  if (text != arguments.end() && text->is_string()) read.text_json = text->dump();
  return read;
}

}  // namespace

RpcMessage read_rpc(std::string_view body) {
  // The library is asked not to throw; what it throws all the same is a message we cannot read.
  try {
    return read(body);
  } catch (const Json::exception&) {
    return {};
  }
}

}  // namespace limpet::demo
