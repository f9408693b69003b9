// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_server.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "daemon/config/files.h"
#include "daemon/net/tls_certificate.h"
#include "daemon/net/tls_server_inner.h"

namespace limpet {
namespace {

// One read of the socket takes in several records; the memory is held only while one is incomplete.
constexpr std::size_t kReadBufferBytes = 64 * 1024;

// As config/check.cc says it, so that the operator reads it once.
constexpr const char* kCertificatesExpected =
    "tls: expected certificates = [ { cert = \"...\", key = \"...\" } ]";

/// Who may be a client, read once for all contexts of the listener.
struct Clients {
  X509StoreHandle store;
  std::string ca;  ///< the bytes of the file
};

std::optional<Clients> read_clients(const TlsModel& model, TlsFindings& findings) {
  Clients clients;
  if (model.client_auth == ClientAuth::kOff) return clients;
  const std::string& path = model.client_ca;
  const auto refuse = [&](std::string_view key, std::string text) {
    findings.mistakes.push_back({model.settings, key, std::move(text)});
    return std::nullopt;
  };
  if (path.empty())
    return refuse("client_auth", "client_auth: clients cannot be checked without client_ca");
  findings.files.push_back(mark_of(path));
  Result<std::string> content = read_whole_file(path);
  if (!content) return refuse("client_ca", "client_ca " + path + " " + content.error().text);
  clients.ca = std::move(*content);
  clients.store.reset(X509_STORE_new());
  if (X509_STORE_load_file(clients.store.get(), path.c_str()) != 1) {
    return refuse("client_ca",
                  "client_ca " + path + ": no certificate in it (" + take_library_reason() +
                      "); expected PEM, which begins with -----BEGIN CERTIFICATE-----");
  }
  return clients;
}

/// Sessions are resumed only where clients are checked in the same way, since a resumed handshake
/// does not check again.
void set_session_scope(ssl_ctx_st* context, const TlsModel& model, const Clients& clients) {
  const std::string scope = std::string("limpet ") +
                            static_cast<char>('0' + static_cast<int>(model.client_auth)) +
                            clients.ca;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned bytes = 0;
  EVP_Digest(scope.data(), scope.size(), digest.data(), &bytes, EVP_sha256(), nullptr);
  SSL_CTX_set_session_id_context(context, digest.data(), bytes);
}

void ask_for_clients(ssl_ctx_st* context, const TlsModel& model, const Clients& clients) {
  if (clients.store == nullptr) return;
  SSL_CTX_set1_cert_store(context, clients.store.get());
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(model.client_ca.c_str()));
  const int required =
      model.client_auth == ClientAuth::kRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, nullptr);
}

Result<SslContextHandle> make_context(const TlsModel& model, const Clients& clients) {
  SslContextHandle handle(SSL_CTX_new(TLS_server_method()));
  ssl_ctx_st* context = handle.get();
  if (context == nullptr || !use_modern_ciphers(context)) {
    return Error{"tls: OpenSSL refuses to begin: " + take_library_reason()};
  }
  SSL_CTX_set_min_proto_version(
      context, model.min_version == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadBufferBytes);
  set_session_scope(context, model, clients);
  ask_for_clients(context, model, clients);
  return handle;
}

TlsNames names_of(std::span<const TlsCertificate> certificates, TlsFindings& findings) {
  std::vector<TlsNames::Entry> entries;
  for (const TlsCertificate& certificate : certificates)
    entries.push_back({certificate.facts.names, certificate.key_kind});
  TlsNames names(entries);
  for (const TlsNames::Shadowed& twice : names.shadowed()) {
    findings.warnings.push_back("certificate " + certificates[twice.entry].facts.file +
                                " is not served for " + twice.name + ": " +
                                certificates[twice.by].facts.file +
                                " has that name, stands first and has the same kind of key");
  }
  return names;
}

/// One context for each set of certificates that have a name in common.
void make_contexts(const TlsModel& model, const Clients& clients, TlsServerContext::Inner& inner,
                   TlsFindings& findings) {
  inner.names = names_of(inner.certificates, findings);
  for (const std::vector<std::size_t>& set : inner.names.sets()) {
    Result<SslContextHandle> context = make_context(model, clients);
    if (!context) return findings.mistakes.push_back({model.settings, "", context.error().text});
    for (const std::size_t i : set) {
      const Status used = use_certificate(context->get(), inner.certificates[i]);
      if (used) continue;
      findings.mistakes.push_back({model.certificates[i].settings, "cert", used.error().text});
    }
    inner.contexts.push_back(std::move(*context));
  }
}

}  // namespace

TlsServerContext::TlsServerContext(std::unique_ptr<Inner> inner) noexcept
    : inner_(std::move(inner)) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::make(
    const TlsModel& model, std::shared_ptr<const TicketKeys> tickets, AlpnChoice alpn) {
  TlsMistakes mistakes;
  auto context = make(model, std::move(tickets), alpn, mistakes);
  if (context == nullptr) return joined(mistakes);
  return context;
}

std::shared_ptr<const TlsServerContext> TlsServerContext::make(
    const TlsModel& model, std::shared_ptr<const TicketKeys> tickets, AlpnChoice alpn,
    TlsMistakes& mistakes) {
  TlsFindings findings;
  auto inner = std::make_unique<Inner>();
  for (const CertificateModel& one : model.certificates) {
    std::optional<TlsCertificate> certificate = read_certificate(one, findings);
    if (certificate) inner->certificates.push_back(std::move(*certificate));
  }
  const std::optional<Clients> clients = read_clients(model, findings);
  if (model.certificates.empty()) {
    findings.mistakes.push_back({model.settings, "certificates", kCertificatesExpected});
  }
  if (findings.mistakes.empty()) make_contexts(model, *clients, *inner, findings);
  mistakes = std::move(findings.mistakes);
  if (!mistakes.empty()) return nullptr;

  for (const TlsCertificate& certificate : inner->certificates)
    inner->facts.push_back(certificate.facts);
  inner->tickets = std::move(tickets);
  inner->alpn = alpn;
  inner->uses_ktls = model.ktls;
  for (const SslContextHandle& context : inner->contexts)
    inner->hook_into(context.get());
  inner->warnings = std::move(findings.warnings);
  inner->files = std::move(findings.files);
  return std::shared_ptr<const TlsServerContext>(
      new TlsServerContext(std::move(inner)));  // NOLINT(cppcoreguidelines-owning-memory)
}

std::span<const TlsCertificateFacts> TlsServerContext::certificates() const noexcept {
  return inner_->facts;
}
std::span<const std::string> TlsServerContext::warnings() const noexcept {
  return inner_->warnings;
}
std::span<const FileMark> TlsServerContext::files() const noexcept { return inner_->files; }

}  // namespace limpet
