// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_session.h"

#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "daemon/base/address.h"
#include "daemon/net/tls_client_inner.h"
#include "daemon/net/tls_server_inner.h"

namespace limpet {
namespace {

/// The cause that a reason of OpenSSL's stands for. Reasons from 1000 up are alerts of the other
/// side (RFC 8446 section 6.2).
TlsFailureCause cause_of(int reason) {
  switch (reason) {
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_CIPHERS_AVAILABLE:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return TlsFailureCause::kNoSharedCipher;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_INAPPROPRIATE_FALLBACK:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return TlsFailureCause::kVersion;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
      return TlsFailureCause::kNoCertificate;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return TlsFailureCause::kBadCertificate;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return TlsFailureCause::kNotTls;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return TlsFailureCause::kClosed;
    default:
      return TlsFailureCause::kOther;
  }
}

}  // namespace

std::unique_ptr<TlsSession> TlsSession::accept(
    const std::shared_ptr<const TlsServerContext>& context, int descriptor) {
  std::unique_ptr<TlsSession> session(new TlsSession(Side::kServer, descriptor));  // NOLINT
  const TlsServerContext::Inner& inner = *context->inner_;
  session->context_ = context;
  if (!session->open(inner.contexts.front().get(),
                     inner.uses_ktls ? Output::kBySocket : Output::kGathered)) {
    return nullptr;
  }
  SSL_set_accept_state(session->ssl_);
  return session;
}

std::unique_ptr<TlsSession> TlsSession::connect(
    const std::shared_ptr<const TlsClientContext>& context, int descriptor, Target target) {
  std::unique_ptr<TlsSession> session(new TlsSession(Side::kClient, descriptor));  // NOLINT
  const TlsClientContext::Inner& inner = *context->inner_;
  session->context_ = context;
  session->context_number_ = inner.number;
  session->ticket_ = std::move(target.ticket);
  if (!session->open(inner.context.get(), Output::kGathered)) return nullptr;
  if (!session->expect_name(inner.server_name.empty() ? target.host : inner.server_name)) {
    return nullptr;
  }
  if (session->ticket_ != nullptr) session->offer(*session->ticket_);
  SSL_set_connect_state(session->ssl_);
  return session;
}

TlsSession::~TlsSession() {
  if (ssl_ == nullptr) return;
  // Without this, OpenSSL takes a connection that ends without close_notify for an attack, and
  // spoils the session that the ticket of a replica stands for.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

bool TlsSession::open(ssl_ctx_st* context, Output output) {
  ssl_ = SSL_new(context);
  if (ssl_ != nullptr && attach_socket(output)) return true;
  ERR_clear_error();
  return false;
}

bool TlsSession::expect_name(std::string_view name) {
  const std::string text(name);
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl_);
  if (Address::parse_ip(text)) return X509_VERIFY_PARAM_set1_ip_asc(wanted, text.c_str()) == 1;
  // An empty name would let every certificate of the CA pass.
  if (text.empty()) return false;
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(wanted, text.data(), text.size()) == 1 &&
         SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(text.c_str())) == 1;  // NOLINT
}

void TlsSession::offer(const TlsSessionTicket& ticket) {
  // A session of another context was verified by another CA, perhaps, and is not verified again.
  if (ticket.session_ == nullptr || ticket.context_number_ != context_number_) return;
  SSL_set_session(ssl_, ticket.session_);
}

int TlsSession::on_new_session(ssl_st* ssl, ssl_session_st* session) {
  const auto& self = *static_cast<const TlsSession*>(SSL_get_app_data(ssl));
  if (self.ticket_ == nullptr || SSL_SESSION_is_resumable(session) == 0) return 0;
  self.ticket_->keep(session, self.context_number_);
  return 1;
}

TlsSession::Progress TlsSession::handshake() {
  if (state_ == State::kFailed) return Progress::kFailed;
  if (!send_out()) {
    fail_by_socket();
    return Progress::kFailed;
  }
  if (!out_.is_empty()) return Progress::kWantsWrite;
  if (state_ == State::kEstablished) return Progress::kDone;
  begin_call();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) on_established();
  const Progress progress = result == 1 ? Progress::kDone : on_handshake_stopped(result);
  if (is_not_tls_) out_.clear();  // an alert would only puzzle whoever speaks something else
  if (!send_out() && progress != Progress::kFailed) {
    fail_by_socket();
    return Progress::kFailed;
  }
  return progress != Progress::kFailed && !out_.is_empty() ? Progress::kWantsWrite : progress;
}

TlsSession::Progress TlsSession::on_handshake_stopped(int result) {
  const int reason = SSL_get_error(ssl_, result);
  if (is_not_tls_) {
    ERR_clear_error();
    fail(TlsFailureCause::kNotTls, side_ == Side::kServer ? "the client's first byte is not TLS"
                                                          : "the replica's first byte is not TLS");
  } else if (socket_error_ != 0 || has_socket_ended_) {
    fail_by_socket();
  } else if (reason == SSL_ERROR_WANT_WRITE) {
    return Progress::kWantsWrite;
  } else if (reason != SSL_ERROR_WANT_READ) {
    fail_by_library();
  } else if (!is_exhausted()) {
    return Progress::kWantsRead;
  } else {
    fail(TlsFailureCause::kOther, "the handshake is longer than any that makes sense");
  }
  return Progress::kFailed;
}

void TlsSession::on_established() {
  state_ = State::kEstablished;
  const unsigned char* name = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(ssl_, &name, &bytes);
  const std::string_view alpn(reinterpret_cast<const char*>(name), bytes);
  if (alpn == "h2") alpn_ = Alpn::kHttp2;
  if (alpn == "http/1.1") alpn_ = Alpn::kHttp1;
  has_more_ = SSL_has_pending(ssl_) == 1 || !early_.is_empty() || inflow_ == Inflow::kUnknown;
  settle_output();
}

void TlsSession::on_handshake_timeout() {
  if (state_ != State::kHandshaking) return;
  fail(TlsFailureCause::kTimeout, "the handshake took too long");
}

void TlsSession::fail(TlsFailureCause cause, std::string text) {
  state_ = State::kFailed;
  seen_ = Moved::How::kFailed;
  failure_ = {cause, std::move(text)};
}

void TlsSession::fail_by_library() {
  // The first note of the TLS part is the root: those before it are of parts that it asked, and
  // later ones say what became of it.
  unsigned long code = ERR_get_error();
  while (ERR_GET_LIB(code) != ERR_LIB_SSL && ERR_peek_error() != 0)
    code = ERR_get_error();
  const TlsFailureCause cause = cause_of(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "reason " + std::to_string(ERR_GET_REASON(code));
  const long verdict = SSL_get_verify_result(ssl_);
  if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
    text = std::string("the other side's certificate is refused: ") +
           X509_verify_cert_error_string(verdict);
  }
  ERR_clear_error();
  fail(cause, std::move(text));
}

void TlsSession::fail_by_socket() {
  ERR_clear_error();
  const char* side = side_ == Side::kServer ? "the client" : "the replica";
  fail(TlsFailureCause::kClosed,
       socket_error_ == 0
           ? std::string(side) + " closed the connection"
           : "the connection to " + std::string(side) + " broke: " + std::strerror(socket_error_));
}

bool TlsSession::was_resumed() const noexcept { return SSL_session_reused(ssl_) == 1; }

std::string TlsSession::client_subject() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return {};
  const BioHandle text(BIO_new(BIO_s_mem()));
  if (text == nullptr ||
      X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) {
    return {};
  }
  char* bytes = nullptr;
  const long count = BIO_ctrl(text.get(), BIO_CTRL_INFO, 0, &bytes);
  return {bytes, static_cast<std::size_t>(count)};
}

std::string_view TlsSession::server_name() const noexcept {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : std::string_view{};
}
std::string_view TlsSession::protocol() const noexcept { return SSL_get_version(ssl_); }
std::string_view TlsSession::cipher() const noexcept {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  const char* name = cipher != nullptr ? SSL_CIPHER_standard_name(cipher) : nullptr;
  return name != nullptr ? name : std::string_view{};
}

}  // namespace limpet
