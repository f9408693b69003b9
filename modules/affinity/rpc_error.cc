// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/rpc_error.h"

#include <string>

#include <simdjson.h>

#include "daemon/base/text.h"

namespace limpet::affinity {

namespace {

constexpr std::string_view kBeforeId =
    R"({"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":)";
constexpr std::size_t kIdBytesMax = 256;

// The id as it stands in the text, or empty.
std::string_view id_of(simdjson::ondemand::parser& parser, simdjson::padded_string_view json) {
  simdjson::ondemand::document document;
  if (parser.iterate(json).get(document) != simdjson::SUCCESS) return {};
  simdjson::ondemand::value id;
  if (document.find_field_unordered("id").get(id) != simdjson::SUCCESS) return {};
  simdjson::ondemand::json_type type{};
  if (id.type().get(type) != simdjson::SUCCESS) return {};
  std::string_view token = id.raw_json_token();
  while (!token.empty() &&
         std::string_view(" \t\r\n").find(token.back()) != std::string_view::npos) {
    token.remove_suffix(1);
  }
  if (token.size() > kIdBytesMax) return {};
  if (type == simdjson::ondemand::json_type::number) {
    double number = 0;
    return id.get_double().get(number) == simdjson::SUCCESS ? token : std::string_view{};
  }
  if (type != simdjson::ondemand::json_type::string) return {};
  std::string_view unescaped;
  return id.get_string().get(unescaped) == simdjson::SUCCESS ? token : std::string_view{};
}

}  // namespace

std::string_view session_not_found(Arena& arena, std::string_view request_body) {
  static constexpr std::string_view kNull = "null";
  if (request_body.empty()) return arena.join(kBeforeId, kNull, "}");
  std::string padded(request_body);
  padded.reserve(padded.size() + simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::parser parser;
  const std::string_view id = id_of(
      parser, simdjson::padded_string_view(padded.data(), request_body.size(), padded.capacity()));
  return arena.join(kBeforeId, id.empty() ? kNull : id, "}");
}

}  // namespace limpet::affinity
