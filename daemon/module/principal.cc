// SPDX-License-Identifier: Apache-2.0
#include "daemon/module/principal.h"

#include <simdjson.h>

#include "daemon/base/hash.h"
#include "daemon/base/text.h"
#include "daemon/http/char_class.h"
#include "daemon/module/client_certificate.h"

namespace limpet {

namespace {

// Keys of different kinds must not meet.
constexpr std::uint64_t kJwtSeed = 0x6a77742d73756200;
constexpr std::uint64_t kHeaderSeed = 0x6865616465720000;
constexpr std::uint64_t kCertificateSeed = 0x6365727400000000;
constexpr std::uint64_t kCredentialSeed = 0x63726564656e7469;

std::uint64_t key_of(std::string_view value, std::uint64_t seed) noexcept {
  const std::uint64_t key = stable_hash(value, seed);
  return key == 0 ? 1 : key;
}

struct Claims {
  std::optional<std::string> issuer;
  std::optional<std::string> subject;
};

// A claim that stands there twice would be read differently by others (RFC 7519 section 4).
bool take(std::optional<std::string>& claim, simdjson::dom::element value) {
  std::string_view text;
  if (claim || value.get_string().get(text) != simdjson::SUCCESS) return false;
  claim = text;
  return true;
}

bool read_claims(const std::string& json, Claims& claims) {
  thread_local simdjson::dom::parser parser(kBearerBytesMax);
  simdjson::dom::object object;
  if (parser.parse(json).get_object().get(object) != simdjson::SUCCESS) return false;
  for (const simdjson::dom::key_value_pair member : object) {
    if (member.key == "iss" && !take(claims.issuer, member.value)) return false;
    if (member.key == "sub" && !take(claims.subject, member.value)) return false;
  }
  return true;
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) noexcept {
  static constexpr std::string_view kScheme = "bearer ";
  authorization = text::trim(authorization);
  if (!text::starts_with_ignoring_case(authorization, kScheme)) return {};
  return text::trim(authorization.substr(kScheme.size()));
}

std::uint64_t jwt_principal(std::string_view token) {
  if (token.size() > kBearerBytesMax) return 0;
  std::string_view rest = token;
  const std::string_view header = text::cut(rest, '.');
  const std::string_view payload = text::cut(rest, '.');
  // header.payload.signature; five parts would be an encrypted one (RFC 7516), which says nothing.
  if (header.empty() || payload.empty() || rest.find('.') != std::string_view::npos) return 0;
  const std::optional<std::string> json = text::from_base64(payload);
  Claims claims;
  if (!json || !read_claims(*json, claims)) return 0;
  if (!claims.subject || claims.subject->empty()) return 0;
  // The length keeps issuer and subject from running into each other.
  const std::string issuer = claims.issuer.value_or(std::string());
  return key_of(std::to_string(issuer.size()) + ':' + issuer + *claims.subject, kJwtSeed);
}

std::uint64_t header_principal(std::string_view value) noexcept {
  value = text::trim(value);
  return value.empty() ? 0 : key_of(value, kHeaderSeed);
}

std::uint64_t certificate_principal(std::string_view subject) noexcept {
  return subject.empty() ? 0 : key_of(subject, kCertificateSeed);
}

std::uint64_t principal_of(const HeaderList& fields, std::string_view certificate,
                           const PrincipalRule& rule) {
  switch (rule.kind) {
    case PrincipalRule::Kind::kOff:
      return 0;
    case PrincipalRule::Kind::kJwtSubject:
      return jwt_principal(bearer_token(fields.value(FieldName::kAuthorization)));
    case PrincipalRule::Kind::kHeader: {
      const Field* field = fields.find(rule.header);
      return field == nullptr ? 0 : header_principal(field->value());
    }
    case PrincipalRule::Kind::kCertificate:
      return certificate_principal(certificate);
  }
  return 0;
}

std::uint64_t credential_of(const HeaderList& fields) noexcept {
  const std::string_view value = text::trim(fields.value(FieldName::kAuthorization));
  return value.empty() ? 0 : key_of(value, kCredentialSeed);
}

std::optional<PrincipalSetting> parse_principal(std::string_view text, std::string_view jwt_word) {
  static constexpr std::string_view kHeader = "header:";
  if (text == jwt_word) return PrincipalSetting{PrincipalRule::Kind::kJwtSubject, {}};
  if (text == kCertificateWord) return PrincipalSetting{PrincipalRule::Kind::kCertificate, {}};
  if (!text.starts_with(kHeader) || !chars::is_token(text.substr(kHeader.size())))
    return std::nullopt;
  return PrincipalSetting{PrincipalRule::Kind::kHeader,
                          text::to_lower(text.substr(kHeader.size()))};
}

}  // namespace limpet
