// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsClientContext: everything the handshakes towards one pool's replicas share: whom to believe,
// which name to expect, limpet's own certificate, ALPN. TlsSessionTicket: what one replica gave to
// resume with. One connection is tls_session.h's.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/config/model.h"
#include "daemon/net/tls_facts.h"
#include "daemon/net/tls_files.h"
#include "daemon/net/tls_mistake.h"

struct ssl_session_st;

namespace limpet {

/// Owns: the trusted certificates and the own one, in OpenSSL's form.
/// Thread: any; immutable.
class TlsClientContext {
 public:
  /// Errors: null, and each mistake at the key that names the file.
  [[nodiscard]] static std::shared_ptr<const TlsClientContext> make(const ReplicaTlsModel& model,
                                                                    ReplicaProtocol protocol,
                                                                    TlsMistakes& mistakes);
  /// The same. Errors: one text for all mistakes, a line each.
  [[nodiscard]] static Result<std::shared_ptr<const TlsClientContext>> make(
      const ReplicaTlsModel& model, ReplicaProtocol protocol);

  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;
  ~TlsClientContext();

  /// All files this was made of; none of the system's own.
  [[nodiscard]] std::span<const FileMark> files() const noexcept;
  /// Whether a replica was verified under the other as it would be under this: by the same files,
  /// unchanged, and the same name.
  [[nodiscard]] bool is_like(const TlsClientContext& other) const noexcept;
  /// limpet's own one; none where it has none to show.
  [[nodiscard]] std::span<const TlsCertificateFacts> certificates() const noexcept;
  /// What works but should not stay, such as an expired certificate of limpet's own.
  [[nodiscard]] std::span<const std::string> warnings() const noexcept;

 private:
  friend class TlsSession;
  friend class TlsSessionTicket;
  struct Inner;
  explicit TlsClientContext(std::unique_ptr<Inner> inner) noexcept;
  std::unique_ptr<Inner> inner_;
};

/// The last session that one replica gave to one worker. It is offered only under the context it
/// was made under, so that a changed CA is asked again.
/// Owns: the session. Thread: one worker's.
class TlsSessionTicket {
 public:
  TlsSessionTicket() = default;
  TlsSessionTicket(const TlsSessionTicket&) = delete;
  TlsSessionTicket& operator=(const TlsSessionTicket&) = delete;
  ~TlsSessionTicket() { forget(); }

  [[nodiscard]] bool is_empty() const noexcept { return session_ == nullptr; }
  void forget() noexcept;

 private:
  friend class TlsSession;
  void keep(ssl_session_st* session, std::uint64_t context_number) noexcept;

  ssl_session_st* session_ = nullptr;
  std::uint64_t context_number_ = 0;
};

}  // namespace limpet
