// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_client.h"

#include <atomic>
#include <optional>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "daemon/net/tls_certificate.h"
#include "daemon/net/tls_client_inner.h"
#include "daemon/net/tls_session.h"

namespace limpet {
namespace {

constexpr std::size_t kReadBufferBytes = 64 * 1024;
constexpr std::string_view kSystem = "system";

/// The protocols as ALPN writes them, each behind its length (RFC 7301 section 3.1).
std::string_view alpn_of(ReplicaProtocol protocol) {
  switch (protocol) {
    case ReplicaProtocol::kHttp1:
      return "\x08http/1.1";
    case ReplicaProtocol::kHttp2:
      return "\x02h2";
    case ReplicaProtocol::kAuto:
      break;
  }
  return "\x02h2\x08http/1.1";
}

Status trust(ssl_ctx_st* context, const std::string& ca, TlsFindings& findings) {
  if (ca == kSystem) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return Error{"ca: the system's certificates cannot be found: " + take_library_reason()};
  }
  if (ca.empty()) return Error{"ca: expected \"system\" or the path of a PEM file"};
  findings.files.push_back(mark_of(ca));
  if (!findings.files.back().exists) {
    return Error{"ca " + ca + " cannot be opened; expected \"system\" or the path of a PEM file"};
  }
  if (SSL_CTX_load_verify_file(context, ca.c_str()) == 1) return {};
  return Error{"ca " + ca + ": no certificate in it (" + take_library_reason() +
               "); expected PEM, which begins with -----BEGIN CERTIFICATE-----"};
}

std::vector<TlsCertificateFacts> identify(ssl_ctx_st* context, const ReplicaTlsModel& model,
                                          TlsFindings& findings) {
  if (model.cert.empty() && model.key.empty()) return {};
  if (model.cert.empty() || model.key.empty()) {
    findings.mistakes.push_back({model.settings, "", "tls: cert and key belong together"});
    return {};
  }
  const CertificateModel own{model.cert, model.key, {}, model.settings};
  const std::optional<TlsCertificate> certificate = read_certificate(own, findings);
  if (!certificate) return {};
  const Status used = use_certificate(context, *certificate);
  if (!used) findings.mistakes.push_back({model.settings, "cert", used.error().text});
  return {certificate->facts};
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

TlsClientContext::TlsClientContext(std::unique_ptr<Inner> inner) noexcept
    : inner_(std::move(inner)) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::make(const ReplicaTlsModel& model,
                                                                       ReplicaProtocol protocol) {
  TlsMistakes mistakes;
  auto context = make(model, protocol, mistakes);
  if (context == nullptr) return joined(mistakes);
  return context;
}

std::shared_ptr<const TlsClientContext> TlsClientContext::make(const ReplicaTlsModel& model,
                                                               ReplicaProtocol protocol,
                                                               TlsMistakes& mistakes) {
  auto inner = std::make_unique<Inner>();
  inner->context.reset(SSL_CTX_new(TLS_client_method()));
  ssl_ctx_st* context = inner->context.get();
  if (context == nullptr || !use_modern_ciphers(context)) {
    mistakes.push_back(
        {model.settings, "", "tls: OpenSSL refuses to begin: " + take_library_reason()});
    return nullptr;
  }
  TlsFindings findings;
  const Status trusted = trust(context, model.ca, findings);
  if (!trusted) findings.mistakes.push_back({model.settings, "ca", trusted.error().text});
  inner->certificates = identify(context, model, findings);
  mistakes = std::move(findings.mistakes);
  if (!mistakes.empty()) return nullptr;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadBufferBytes);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // A certificate named in the CA file is believed by itself, without the one that signed it.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsSession::on_new_session);
  const std::string_view alpn = alpn_of(protocol);
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
  inner->server_name = model.server_name;
  inner->number = next_number();
  inner->files = std::move(findings.files);
  inner->warnings = std::move(findings.warnings);
  return std::shared_ptr<const TlsClientContext>(
      new TlsClientContext(std::move(inner)));  // NOLINT(cppcoreguidelines-owning-memory)
}

std::span<const FileMark> TlsClientContext::files() const noexcept { return inner_->files; }
bool TlsClientContext::is_like(const TlsClientContext& other) const noexcept {
  return inner_->files == other.inner_->files && inner_->server_name == other.inner_->server_name;
}
std::span<const TlsCertificateFacts> TlsClientContext::certificates() const noexcept {
  return inner_->certificates;
}
std::span<const std::string> TlsClientContext::warnings() const noexcept {
  return inner_->warnings;
}

void TlsSessionTicket::forget() noexcept { SSL_SESSION_free(std::exchange(session_, nullptr)); }

void TlsSessionTicket::keep(ssl_session_st* session, std::uint64_t context_number) noexcept {
  forget();
  session_ = session;
  context_number_ = context_number;
}

}  // namespace limpet
