// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_staple.h"

#include <ctime>
#include <memory>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>

namespace limpet {
namespace {

struct FreeOcsp {
  void operator()(OCSP_RESPONSE* response) const noexcept { OCSP_RESPONSE_free(response); }
  void operator()(OCSP_BASICRESP* response) const noexcept { OCSP_BASICRESP_free(response); }
};

/// The part of the response that is about the certificate's serial number, or null.
OCSP_SINGLERESP* find_single(OCSP_BASICRESP* basic, const X509* leaf) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic, i);
    ASN1_INTEGER* serial = nullptr;
    // OpenSSL's getter takes what it does not change as changeable.
    auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));  // NOLINT
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, id);
    if (serial != nullptr && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0)
      return single;
  }
  return nullptr;
}

}  // namespace

Result<Staple> parse_staple(std::string_view der, const x509_st* leaf) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<OCSP_RESPONSE, FreeOcsp> response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (response == nullptr) {
    return Error{"not an OCSP response; expected DER, as `openssl ocsp -respout` writes"};
  }
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return Error{std::string("the responder answered ") +
                 OCSP_response_status_str(OCSP_response_status(response.get()))};
  }
  const std::unique_ptr<OCSP_BASICRESP, FreeOcsp> basic(OCSP_response_get1_basic(response.get()));
  ERR_clear_error();
  if (basic == nullptr) return Error{"the OCSP response is of an unknown type"};
  OCSP_SINGLERESP* single = find_single(basic.get(), leaf);
  if (single == nullptr) return Error{"the OCSP response is for another certificate"};
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  const int status = OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next_update);
  Staple staple;
  staple.said = status == V_OCSP_CERTSTATUS_GOOD      ? Staple::Said::kGood
                : status == V_OCSP_CERTSTATUS_REVOKED ? Staple::Said::kRevoked
                                                      : Staple::Said::kUnknown;
  std::tm parts{};
  if (next_update == nullptr || ASN1_TIME_to_tm(next_update, &parts) != 1) return staple;
  staple.good_until = WallSeconds(std::chrono::seconds(::timegm(&parts)));
  if (staple.good_until <= std::chrono::system_clock::now())
    return Error{"the OCSP response is out of date"};
  return staple;
}

}  // namespace limpet
