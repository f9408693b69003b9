// SPDX-License-Identifier: Apache-2.0
#include "modules/balance/hash_key.h"

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"

namespace limpet::balance {
namespace {

// The value of `name` in "a=1&b=2" or "a=1; b=2".
std::optional<std::string_view> value_in(std::string_view list, char separator,
                                         std::string_view name) noexcept {
  while (!list.empty()) {
    std::string_view value = text::trim(text::cut(list, separator));
    if (text::cut(value, '=') == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<HashKey> HashKey::parse(std::string_view text) {
  HashKey key;
  std::string_view name = text;
  const std::string_view kind = text::cut(name, ':');
  if (kind == text) {
    if (text != "client-ip" && text != "path") return std::nullopt;
    key.part_ = text == "path" ? Part::kPath : Part::kClientIp;
    return key;
  }
  if (kind == "header") {
    if (!chars::is_token(name)) return std::nullopt;
    key.part_ = Part::kHeader;
    key.name_ = text::to_lower(name);
    key.field_ = known_name(key.name_);
    return key;
  }
  if (name.empty() || (kind != "query" && kind != "cookie")) return std::nullopt;
  key.part_ = kind == "query" ? Part::kQuery : Part::kCookie;
  key.name_ = name;
  return key;
}

std::string_view HashKey::of(const Exchange& exchange) const noexcept {
  const RequestHead& request = exchange.request;
  switch (part_) {
    case Part::kHeader: {
      const Field* field =
          field_ == FieldName::kOther ? request.fields.find(name_) : request.fields.find(field_);
      return field == nullptr ? std::string_view{} : field->value();
    }
    case Part::kQuery:
      return value_in(request.query, '&', name_).value_or(std::string_view{});
    case Part::kCookie:
      for (const Field& field : request.fields.fields()) {
        if (field.is_removed() || field.id != FieldName::kCookie) continue;
        if (const auto value = value_in(field.value(), ';', name_)) return *value;
      }
      return {};
    case Part::kClientIp:
      return exchange.client_address.empty() ? exchange.client.address : exchange.client_address;
    case Part::kPath:
      return request.path;
  }
  return {};
}

}  // namespace limpet::balance
