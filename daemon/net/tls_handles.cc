// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_handles.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace limpet {
namespace {

constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";

}  // namespace

void FreeHandle::operator()(bio_st* bio) const noexcept { BIO_free(bio); }
void FreeHandle::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }
void FreeHandle::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }
void FreeHandle::operator()(x509_st* certificate) const noexcept { X509_free(certificate); }
void FreeHandle::operator()(x509_store_st* store) const noexcept { X509_STORE_free(store); }

std::string take_library_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "error " + std::to_string(ERR_GET_REASON(code));
  ERR_clear_error();
  return text;
}

bool use_modern_ciphers(ssl_ctx_st* context) {
  return SSL_CTX_set_cipher_list(context, kCiphers12) == 1 &&
         SSL_CTX_set_ciphersuites(context, kCiphers13) == 1 &&
         SSL_CTX_set1_groups_list(context, kGroups) == 1;
}

BioHandle reader_of(std::string_view bytes) {
  return BioHandle(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

}  // namespace limpet
