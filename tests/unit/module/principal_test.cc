// SPDX-License-Identifier: Apache-2.0
#include "daemon/module/principal.h"

#include <string>

#include <doctest/doctest.h>

#include "daemon/base/text.h"

namespace limpet {
namespace {

std::string jwt(const std::string& payload, const std::string& signature = "c2ln") {
  return text::base64url(R"({"alg":"RS256"})") + "." + text::base64url(payload) + "." + signature;
}

TEST_CASE("issuer and subject decide, not the rest of the token") {
  const std::uint64_t first = jwt_principal(jwt(R"({"iss":"https://i","sub":"u1","exp":1})"));
  CHECK(first != 0);
  CHECK(jwt_principal(jwt(R"({"sub":"u1","exp":2,"iss":"https://i"})", "b3RoZXI")) == first);
  CHECK(jwt_principal(jwt(R"({"iss":"https://i","sub":"u2"})")) != first);
  CHECK(jwt_principal(jwt(R"({"iss":"https://j","sub":"u1"})")) != first);
  CHECK(jwt_principal(jwt(R"({"iss":"a","sub":"bc"})")) !=
        jwt_principal(jwt(R"({"iss":"ab","sub":"c"})")));
}

TEST_CASE("what names nobody has no key") {
  CHECK(jwt_principal("") == 0);
  CHECK(jwt_principal("opaque-token") == 0);
  CHECK(jwt_principal("a.b") == 0);
  CHECK(jwt_principal("a.!!!.c") == 0);
  CHECK(jwt_principal(jwt(R"({"iss":"i"})")) == 0);
  CHECK(jwt_principal(jwt(R"({"sub":5})")) == 0);
  CHECK(jwt_principal(jwt(R"({"sub":"a","sub":"b"})")) == 0);
  CHECK(jwt_principal(jwt(R"({"sub":"u"})") + ".d.e") == 0);
  CHECK(jwt_principal(jwt("{\"sub\":\"" + std::string(kBearerBytesMax, 'x') + "\"}")) == 0);
}

TEST_CASE("the token comes from the bearer scheme, the header by its name") {
  Arena arena;
  HeaderList fields(arena);
  const std::string authorization = "bearer  " + jwt(R"({"sub":"u"})");
  fields.add(FieldName::kAuthorization, authorization);
  fields.add_copy("x-user", " ada ");
  CHECK(principal_of(fields, {}, {PrincipalRule::Kind::kJwtSubject}) ==
        jwt_principal(jwt(R"({"sub":"u"})")));
  CHECK(principal_of(fields, {}, {PrincipalRule::Kind::kHeader, "x-user"}) != 0);
  CHECK(principal_of(fields, {}, {PrincipalRule::Kind::kHeader, "x-none"}) == 0);
  CHECK(principal_of(fields, {}, {}) == 0);
  CHECK(principal_of(fields, "CN=ada", {PrincipalRule::Kind::kCertificate}) ==
        certificate_principal("CN=ada"));
  CHECK(principal_of(fields, {}, {PrincipalRule::Kind::kCertificate}) == 0);
  CHECK(bearer_token("Basic abc").empty());
  CHECK(credential_of(fields) != 0);
}

TEST_CASE("a certificate's subject is nobody else's key") {
  CHECK(certificate_principal("CN=ada") != 0);
  CHECK(certificate_principal("CN=ada") != certificate_principal("CN=bob"));
  CHECK(certificate_principal("CN=ada") != header_principal("CN=ada"));
  CHECK(certificate_principal("") == 0);
}

TEST_CASE("a rule is a header's name or the word for the token's or the certificate's subject") {
  CHECK(parse_principal("client-certificate", "jwt")->kind == PrincipalRule::Kind::kCertificate);
  CHECK(parse_principal("jwt", "jwt")->kind == PrincipalRule::Kind::kJwtSubject);
  CHECK(parse_principal("header:X-User", "jwt")->header == "x-user");
  CHECK_FALSE(parse_principal("header:", "jwt").has_value());
  CHECK_FALSE(parse_principal("header:a b", "jwt").has_value());
  CHECK_FALSE(parse_principal("jwt-subject", "jwt").has_value());
}

}  // namespace
}  // namespace limpet
