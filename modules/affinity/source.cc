// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/source.h"

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"
#include "daemon/http/mcp_head.h"
#include "modules/affinity/replica_table.h"

namespace limpet::affinity {

namespace {

constexpr std::string_view kExpected =
    "expected one of: cookie, header:NAME, query:NAME, mcp, principal, client-ip";

Result<Source> header_source(std::string_view name) {
  if (!chars::is_token(name)) {
    return Error{"\"" + text::escaped(name) +
                 "\" is not a header name; expected header:NAME such as header:X-User"};
  }
  const std::string lower_case = text::to_lower(name);
  return Source{
      Source::Kind::kHeader, lower_case, known_name(lower_case), "header:" + lower_case, {}};
}

Result<Source> query_source(std::string_view name) {
  if (name.empty() || name.find_first_of("&=#? ") != std::string_view::npos) {
    return Error{"\"" + text::escaped(name) +
                 "\" is not the name of a query parameter; expected query:NAME such as query:user"};
  }
  return Source{
      Source::Kind::kQuery, std::string(name), FieldName::kOther, "query:" + std::string(name), {}};
}

// A value of the modern era's headers, which only requests of that era are believed to mean.
std::string_view mirrored_value(std::string_view name, const Exchange& exchange) {
  const RequestHead& request = exchange.request;
  std::optional<std::string> value;
  if (name.starts_with(kParameterPrefix))
    value = parameter_of(request, name.substr(kParameterPrefix.size()));
  else if (era_of(request) == Era::kModern)
    value = decoded_value(request.fields.value(FieldName::kMcpName));
  return value ? exchange.arena.copy(*value) : std::string_view{};
}

bool is_mirrored(const Source& source) noexcept {
  return source.field == FieldName::kMcpName || source.name.starts_with(kParameterPrefix);
}

}  // namespace

Result<Source> parse_source(std::string_view text) {
  if (text == "cookie") return Source{Source::Kind::kCookie, {}, FieldName::kOther, "cookie", {}};
  if (text == "mcp") return Source{Source::Kind::kSession, {}, FieldName::kOther, "mcp", {}};
  if (text == "client-ip")
    return Source{Source::Kind::kClientAddress, {}, FieldName::kOther, "client-ip", {}};
  if (text == "principal")
    return Source{Source::Kind::kPrincipal, {}, FieldName::kOther, "principal", {}};
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

std::string_view value_of(const Source& source, const Exchange& exchange) {
  switch (source.kind) {
    case Source::Kind::kHeader: {
      if (is_mirrored(source)) return mirrored_value(source.name, exchange);
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

std::optional<std::uint64_t> key_in(const Source& source, const Exchange& exchange) {
  if (source.kind == Source::Kind::kPrincipal) {
    const std::uint64_t key =
        principal_of(exchange.request.fields, exchange.client.tls_subject, source.principal.rule());
    return key == 0 ? std::nullopt : std::optional(key);
  }
  const std::string_view value = value_of(source, exchange);
  return value.empty() ? std::nullopt : std::optional(key_of(value));
}

}  // namespace limpet::affinity
