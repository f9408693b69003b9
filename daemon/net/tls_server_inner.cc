// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_server_inner.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string_view>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

namespace limpet {
namespace {

using Inner = TlsServerContext::Inner;

constexpr std::size_t kIvBytes = 16;

/// Found once: asking OpenSSL for a cipher by name takes a lock of the library.
EVP_CIPHER* ticket_cipher() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  return cipher;
}

int on_server_name(SSL* ssl, int*, void* context) {
  const auto& inner = *static_cast<const Inner*>(context);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const std::size_t set = inner.names.find(name);
  if (set != 0) SSL_set_SSL_CTX(ssl, inner.contexts[set].get());
  return SSL_TLSEXT_ERR_OK;
}

bool offers(std::string_view offered, std::string_view wanted) {
  while (!offered.empty()) {
    const auto length = static_cast<unsigned char>(offered.front());
    if (offered.substr(1, length) == wanted) return true;
    offered.remove_prefix(std::min<std::size_t>(offered.size(), 1U + length));
  }
  return false;
}

int on_alpn(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in,
            unsigned in_bytes, void* context) {
  const auto& inner = *static_cast<const Inner*>(context);
  const std::string_view offered(reinterpret_cast<const char*>(in), in_bytes);
  static constexpr std::string_view kHttp2 = "h2";
  static constexpr std::string_view kHttp1 = "http/1.1";
  const bool speaks_http2 = inner.alpn == AlpnChoice::kHttp2AndHttp1 && offers(offered, kHttp2);
  const std::string_view chosen = speaks_http2 ? kHttp2 : kHttp1;
  // RFC 7301 section 3.2: nothing in common ends the handshake with no_application_protocol.
  if (!speaks_http2 && !offers(offered, kHttp1)) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = reinterpret_cast<const unsigned char*>(chosen.data());
  *out_bytes = static_cast<unsigned char>(chosen.size());
  return SSL_TLSEXT_ERR_OK;
}

int on_staple_wanted(SSL* ssl, void* context) {
  const auto& inner = *static_cast<const Inner*>(context);
  const X509* leaf = SSL_get_certificate(ssl);
  for (const TlsCertificate& certificate : inner.certificates) {
    if (certificate.leaf.get() != leaf) continue;
    const std::string& staple = certificate.staple;
    // A client that gets an outdated one may refuse what it would accept without.
    if (staple.empty() || certificate.staple_until <= std::chrono::system_clock::now()) break;
    void* copy = OPENSSL_memdup(staple.data(), staple.size());
    if (copy == nullptr) break;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(staple.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

bool begin_mac(EVP_MAC_CTX* mac, TicketKey& key) {
  std::array<char, 7> digest = {"SHA256"};
  const std::array<OSSL_PARAM, 3> wanted = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.hmac.data(), key.hmac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, wanted.data()) == 1;
}

constexpr int kTicketFailed = -1;
constexpr int kTicketUnknown = 0;  // opening: a full handshake; sealing: no ticket
constexpr int kTicketUsed = 1;
constexpr int kTicketToRenew = 2;

int seal(const TicketKeys& keys, TicketKey& key, unsigned char* name, unsigned char* iv,
         EVP_CIPHER_CTX* cipher) {
  if (!keys.copy_first(key)) return kTicketUnknown;
  if (RAND_bytes(iv, kIvBytes) != 1) return kTicketFailed;
  std::memcpy(name, key.name.data(), key.name.size());
  return EVP_EncryptInit_ex(cipher, ticket_cipher(), nullptr, key.aes.data(), iv) == 1
             ? kTicketUsed
             : kTicketFailed;
}

int open(const TicketKeys& keys, TicketKey& key, const unsigned char* name, const unsigned char* iv,
         EVP_CIPHER_CTX* cipher) {
  const TicketKeys::Found found = keys.copy_named(name, key);
  if (found == TicketKeys::Found::kNone) return kTicketUnknown;
  if (EVP_DecryptInit_ex(cipher, ticket_cipher(), nullptr, key.aes.data(), iv) != 1)
    return kTicketFailed;
  return found == TicketKeys::Found::kFirst ? kTicketUsed : kTicketToRenew;
}

int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* mac, int is_sealing) {
  const auto& inner = *static_cast<const Inner*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  TicketKey key;
  int result = is_sealing != 0 ? seal(*inner.tickets, key, name, iv, cipher)
                               : open(*inner.tickets, key, name, iv, cipher);
  if (result > 0 && !begin_mac(mac, key)) result = kTicketFailed;
  // Clients use a ticket of TLS 1.3 once (RFC 8446 appendix C.4), so each use is paid with another.
  if (result == kTicketUsed && is_sealing == 0 && SSL_version(ssl) >= TLS1_3_VERSION) {
    result = kTicketToRenew;
  }
  OPENSSL_cleanse(&key, sizeof key);
  return result;
}

}  // namespace

void TlsServerContext::Inner::hook_into(ssl_ctx_st* context) {
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(on_server_name));
  SSL_CTX_set_tlsext_servername_arg(context, this);
  SSL_CTX_set_alpn_select_cb(context, on_alpn, this);
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
                        reinterpret_cast<void (*)()>(on_staple_wanted));
  SSL_CTX_set_tlsext_status_arg(context, this);
  if (tickets == nullptr) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    return;
  }
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key);
  SSL_CTX_set_timeout(
      context, std::chrono::duration_cast<std::chrono::seconds>(tickets->lifetime()).count());
}

}  // namespace limpet
