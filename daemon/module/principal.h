// SPDX-License-Identifier: Apache-2.0
#pragma once
// principal: who is asking, as a key to place by and to bind sessions to: issuer and subject of a
// bearer token that is a JWT, the value of a header, or the subject of a client certificate. The
// token is not verified: the replicas do that. A forged one places its sender elsewhere and opens
// no session, since ids are sealed. The certificate is: client_certificate.h.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/headers.h"

namespace limpet {

/// A longer token is read as none.
inline constexpr std::size_t kBearerBytesMax = 16 * 1024;

/// Whose value it is that decides.
struct PrincipalRule {
  enum class Kind : std::uint8_t {
    kOff,
    kJwtSubject,   ///< iss and sub of the bearer token
    kHeader,       ///< `header`
    kCertificate,  ///< the subject of the client's certificate, which the listener has verified
  };
  Kind kind = Kind::kOff;
  std::string_view header{};  ///< lower case
};

/// A rule that owns its header's name, as settings hold it.
struct PrincipalSetting {
  PrincipalRule::Kind kind = PrincipalRule::Kind::kOff;
  std::string header;  ///< lower case

  /// Lifetime: the setting's.
  [[nodiscard]] PrincipalRule rule() const noexcept { return {kind, header}; }
};
/// Reads header:NAME, client-certificate, or the word that stands for the JWT's subject.
/// Errors: nothing for anything else, or where NAME is no field name (RFC 9110 section 5.6.2).
[[nodiscard]] std::optional<PrincipalSetting> parse_principal(std::string_view text,
                                                              std::string_view jwt_word);

/// The key of the request's principal; 0 where there is none, or it cannot be read.
/// `certificate` is the verified subject of the client's (ClientFacts::tls_subject).
/// Cost: for a JWT, decoding its payload.
[[nodiscard]] std::uint64_t principal_of(const HeaderList& fields, std::string_view certificate,
                                         const PrincipalRule& rule);
/// The key of issuer and subject of a JWT (RFC 7519 sections 4.1.1, 4.1.2), unverified; a missing
/// issuer counts as empty. 0 where the text is no JWT or has no subject.
[[nodiscard]] std::uint64_t jwt_principal(std::string_view token);
/// The key of a header's value; 0 for an empty one.
[[nodiscard]] std::uint64_t header_principal(std::string_view value) noexcept;
/// The key of a certificate's subject; 0 for an empty one.
[[nodiscard]] std::uint64_t certificate_principal(std::string_view subject) noexcept;
/// The token of an Authorization field of the Bearer scheme (RFC 6750 section 2.1); empty for
/// others.
[[nodiscard]] std::string_view bearer_token(std::string_view authorization) noexcept;
/// A key of the whole credential, for those that name nobody: it tells only whether two are the
/// same. 0 for none.
[[nodiscard]] std::uint64_t credential_of(const HeaderList& fields) noexcept;

}  // namespace limpet
