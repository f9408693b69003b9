// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a TlsServerContext holds, and what OpenSSL asks it during a handshake: which certificate,
// which protocol, which ticket key, which staple. The answers read and never write, so that no
// worker waits for another. For the tls_* files only.

#include <memory>
#include <string>
#include <vector>

#include "daemon/net/tls_certificate.h"
#include "daemon/net/tls_handles.h"
#include "daemon/net/tls_names.h"
#include "daemon/net/tls_server.h"
#include "daemon/net/tls_tickets.h"

namespace limpet {

struct TlsServerContext::Inner {
  std::vector<TlsCertificate> certificates;
  std::vector<TlsCertificateFacts> facts;
  std::vector<std::string> warnings;
  std::vector<FileMark> files;
  TlsNames names;
  std::vector<SslContextHandle> contexts;  ///< one for each of names.sets()
  std::shared_ptr<const TicketKeys> tickets;
  AlpnChoice alpn = AlpnChoice::kHttp1;
  bool uses_ktls = false;

  /// Makes OpenSSL ask this object. Lifetime: this object outlives every session of the context.
  void hook_into(ssl_ctx_st* context);
};

}  // namespace limpet
