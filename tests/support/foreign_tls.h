// SPDX-License-Identifier: Apache-2.0
#pragma once
// A foreign TLS client: OpenSSL straight on a socket, with whatever settings a test wants, against
// limpet's server side. It checks no certificate unless asked.

#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tests/support/tls_fixture.h"

namespace limpet::test {

/// A client that is not limpet.
class ForeignClient {
 public:
  ForeignClient() : context_(SSL_CTX_new(TLS_client_method())) {
    SocketPair pair;
    server = Transport(std::move(pair.first));
    fd_ = std::move(pair.second);
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* fresh) {
      auto& self = *static_cast<ForeignClient*>(SSL_get_app_data(ssl));
      SSL_SESSION_free(self.session);
      self.session = fresh;
      ++self.tickets;
      return 1;
    });
  }
  ForeignClient(const ForeignClient&) = delete;
  ForeignClient& operator=(const ForeignClient&) = delete;
  ~ForeignClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    SSL_SESSION_free(session);
  }

  [[nodiscard]] SSL_CTX* context() const { return context_; }
  [[nodiscard]] int descriptor() const { return fd_.number(); }
  /// The connection, made of the context at the first call.
  [[nodiscard]] SSL* ssl() {
    if (ssl_ == nullptr) {
      ssl_ = SSL_new(context_);
      SSL_set_app_data(ssl_, this);
      SSL_set_fd(ssl_, fd_.number());
      SSL_set_connect_state(ssl_);
    }
    return ssl_;
  }
  void use_version(int version) const {
    SSL_CTX_set_min_proto_version(context_, version);
    SSL_CTX_set_max_proto_version(context_, version);
  }
  void offer_alpn(std::string_view wire) const {
    SSL_CTX_set_alpn_protos(context_, reinterpret_cast<const unsigned char*>(wire.data()),
                            static_cast<unsigned>(wire.size()));
  }
  void ask_for(const std::string& name) {
    std::string text = name;
    SSL_ctrl(ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, text.data());
  }

  /// Shakes hands with a server of that context; says whether the server is done.
  bool shake(const std::shared_ptr<const TlsServerContext>& serving) {
    server.start_tls(TlsSession::accept(serving, server.descriptor()));
    Progress served = Progress::kWantsRead;
    for (int turn = 0; turn < 100; ++turn) {
      const int asked = SSL_do_handshake(ssl());
      served = server.handshake();
      if (served == Progress::kFailed) return false;
      if (asked == 1 && served == Progress::kDone) break;
    }
    (void)read();  // the tickets
    return served == Progress::kDone;
  }
  std::string read() {
    std::string text(64 * 1024, '\0');
    const int got = SSL_read(ssl(), text.data(), static_cast<int>(text.size()));
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  /// The common name of the server's certificate.
  [[nodiscard]] std::string served_name() {
    const X509* leaf = SSL_get0_peer_certificate(ssl());
    if (leaf == nullptr) return {};
    std::string name(100, '\0');
    const int count = X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName,
                                                name.data(), static_cast<int>(name.size()));
    name.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return name;
  }

  Transport server;
  SSL_SESSION* session = nullptr;  ///< the last one the server gave
  int tickets = 0;

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  Fd fd_;
};

}  // namespace limpet::test
