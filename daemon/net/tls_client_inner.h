// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a TlsClientContext holds. For the tls_* files only.

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/net/tls_client.h"
#include "daemon/net/tls_files.h"
#include "daemon/net/tls_handles.h"

namespace limpet {

struct TlsClientContext::Inner {
  SslContextHandle context;
  std::string server_name;   ///< "": the replica's host
  std::uint64_t number = 0;  ///< no other context ever has it
  std::vector<FileMark> files;
  std::vector<std::string> warnings;
  std::vector<TlsCertificateFacts> certificates;  ///< the own one, or none
};

}  // namespace limpet
