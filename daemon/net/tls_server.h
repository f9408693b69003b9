// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsServerContext: everything the handshakes of one listener share: certificates chosen by name,
// versions, ciphers, ALPN, tickets, client certificates, staples. Immutable: where a file changed,
// a new one is made of the same model and put in its place. One connection is tls_session.h's; the
// files of one certificate are tls_certificate.h's.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/config/model.h"
#include "daemon/net/tls_facts.h"
#include "daemon/net/tls_files.h"
#include "daemon/net/tls_mistake.h"
#include "daemon/net/tls_tickets.h"

namespace limpet {

/// What a listener offers by ALPN, in its order of preference.
enum class AlpnChoice : std::uint8_t {
  kHttp1,          ///< http/1.1
  kHttp2AndHttp1,  ///< h2, http/1.1
};

/// Owns: the certificates and keys, in OpenSSL's form.
/// Thread: any; nothing in it changes but OpenSSL's own reference counts.
class TlsServerContext {
 public:
  /// Reads all files of the model.
  /// Errors: null, and each mistake at the key that names the file.
  [[nodiscard]] static std::shared_ptr<const TlsServerContext> make(
      const TlsModel& model, std::shared_ptr<const TicketKeys> tickets, AlpnChoice alpn,
      TlsMistakes& mistakes);
  /// The same. Errors: one text for all mistakes, a line each.
  [[nodiscard]] static Result<std::shared_ptr<const TlsServerContext>> make(
      const TlsModel& model, std::shared_ptr<const TicketKeys> tickets, AlpnChoice alpn);

  struct Inner;  ///< in tls_server_inner.h

  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;
  ~TlsServerContext();

  /// In the order of the configuration.
  [[nodiscard]] std::span<const TlsCertificateFacts> certificates() const noexcept;
  /// What works but should not stay: expired, about to be shadowed, a staple that cannot be read.
  [[nodiscard]] std::span<const std::string> warnings() const noexcept;
  /// All files this was made of; has_changed(context.files()) says whether it is time for a new
  /// one.
  [[nodiscard]] std::span<const FileMark> files() const noexcept;

 private:
  friend class TlsSession;
  explicit TlsServerContext(std::unique_ptr<Inner> inner) noexcept;
  std::unique_ptr<Inner> inner_;
};

}  // namespace limpet
