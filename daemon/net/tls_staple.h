// SPDX-License-Identifier: Apache-2.0
#pragma once
// Staple: an OCSP response that is sent along with a certificate, so that the client need not ask
// its issuer. Read from a file that somebody else keeps fresh; limpet asks no responder and does
// not check the signature, which is the client's to check. For the tls_* files only.

#include <cstdint>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

struct x509_st;

namespace limpet {

struct Staple {
  /// What the authority says of the certificate.
  enum class Said : std::uint8_t { kGood, kRevoked, kUnknown };

  WallSeconds good_until = WallSeconds::max();  ///< nextUpdate of the response
  Said said = Said::kGood;
};

/// Looks at an OCSP response in DER.
/// Errors: what is wrong: not DER, unsuccessful, for another certificate, out of date.
/// RFC: 6960.
[[nodiscard]] Result<Staple> parse_staple(std::string_view der, const x509_st* leaf);

}  // namespace limpet
