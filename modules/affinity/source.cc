// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/source.h"

#include <algorithm>

#include "daemon/base/text.h"

namespace limpet::affinity {

namespace {

constexpr std::string_view kExpected =
    "expected one of: cookie, header:NAME, query:NAME, mcp, client-ip";

// A field name is a token (RFC 9110 section 5.6.2).
bool is_field_name(std::string_view name) noexcept {
  constexpr std::string_view kSigns = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    const char small = text::lower(c);
    return text::is_digit(c) || (small >= 'a' && small <= 'z') ||
           kSigns.find(c) != std::string_view::npos;
  });
}

Result<Source> header_source(std::string_view name) {
  if (!is_field_name(name)) {
    return Error{"\"" + text::escaped(name) +
                 "\" is not a header name; expected header:NAME such as header:X-User"};
  }
  const std::string lower_case = text::to_lower(name);
  return Source{Source::Kind::kHeader, lower_case, known_name(lower_case), "header:" + lower_case};
}

Result<Source> query_source(std::string_view name) {
  if (name.empty() || name.find_first_of("&=#? ") != std::string_view::npos) {
    return Error{"\"" + text::escaped(name) +
                 "\" is not the name of a query parameter; expected query:NAME such as query:user"};
  }
  return Source{Source::Kind::kQuery, std::string(name), FieldName::kOther,
                "query:" + std::string(name)};
}

}  // namespace

Result<Source> parse_source(std::string_view text) {
  if (text == "cookie") return Source{Source::Kind::kCookie, {}, FieldName::kOther, "cookie"};
  if (text == "mcp") return Source{Source::Kind::kSession, {}, FieldName::kOther, "mcp"};
  if (text == "client-ip")
    return Source{Source::Kind::kClientAddress, {}, FieldName::kOther, "client-ip"};
  if (text == "principal") {
    return Error{
        "principal is not available yet in this version; header:NAME with the header that names "
        "the user is"};
  }
  std::string_view name = text;
  const std::string_view word = text::cut(name, ':');
  if (word == "header" && word.size() < text.size()) return header_source(name);
  if (word == "query" && word.size() < text.size()) return query_source(name);
  return Error{"\"" + text::escaped(text) + "\" is not a source of affinity; " +
               std::string(kExpected)};
}

std::string_view query_value(std::string_view query, std::string_view name) noexcept {
  while (!query.empty()) {
    std::string_view value = text::cut(query, '&');
    if (text::cut(value, '=') == name) return value;
  }
  return {};
}

std::string_view value_of(const Source& source, const Exchange& exchange) noexcept {
  switch (source.kind) {
    case Source::Kind::kHeader: {
      const HeaderList& fields = exchange.request.fields;
      if (source.field != FieldName::kOther) return fields.value(source.field);
      const Field* field = fields.find(source.name);
      return field == nullptr ? std::string_view{} : field->value();
    }
    case Source::Kind::kQuery:
      return query_value(exchange.request.query, source.name);
    case Source::Kind::kClientAddress:
      return exchange.client_address.empty() ? exchange.client.address : exchange.client_address;
    default:
      return {};
  }
}

}  // namespace limpet::affinity
