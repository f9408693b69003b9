// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsCertificate: the files of one certificate, read and checked: certificate, chain, key, staple.
// Who is served with it is tls_server.h's question. For the tls_* files only.

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/config/model.h"
#include "daemon/net/tls_files.h"
#include "daemon/net/tls_handles.h"
#include "daemon/net/tls_server.h"

namespace limpet {

/// What was met on the way of reading files.
struct TlsFindings {
  std::vector<FileMark> files;
  std::vector<std::string> warnings;
  TlsMistakes mistakes;
};

/// A certificate with its key, which belong together.
struct TlsCertificate {
  X509Handle leaf;
  std::vector<X509Handle> chain;
  KeyHandle key;
  int key_kind = 0;          ///< OpenSSL's number: RSA, EC, Ed25519, …
  std::string staple;        ///< an OCSP response in DER, or ""
  WallSeconds staple_until;  ///< when it is of no more use
  TlsCertificateFacts facts;
};

/// Reads the files, puts their marks and what should not stay into `findings`.
/// Errors: nothing, and the mistakes of certificate and key are in `findings`.
[[nodiscard]] std::optional<TlsCertificate> read_certificate(const CertificateModel& model,
                                                             TlsFindings& findings);
/// Gives certificate, chain and key to a context, beside those of other kinds of key.
/// Errors: why OpenSSL refuses them, such as a key too short.
[[nodiscard]] Status use_certificate(ssl_ctx_st* context, const TlsCertificate& certificate);

}  // namespace limpet
