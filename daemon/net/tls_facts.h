// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsCertificateFacts: what is told of a certificate that limpet shows, to clients or to replicas,
// beside the handshakes: in metrics and warnings. Read by tls_certificate.h.

#include <string>
#include <vector>

#include "daemon/base/clock.h"

namespace limpet {

/// What the operator wants to know of one certificate.
struct TlsCertificateFacts {
  std::string file;
  WallSeconds not_after;
  std::vector<std::string> names;  ///< in lower case, "*.example.org" among them
};

}  // namespace limpet
