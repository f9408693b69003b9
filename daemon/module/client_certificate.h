// SPDX-License-Identifier: Apache-2.0
#pragma once
// client_certificate: what settings may ask of the certificate with which a client has shown at the
// listener who it is: the word for it, and whether any listener asks for one. The subject itself is
// ClientFacts::tls_subject; net/tls_* verifies.

#include <string_view>

#include "daemon/config/reader.h"

namespace limpet {

/// Names the subject of the client's certificate as a principal.
inline constexpr std::string_view kCertificateWord = "client-certificate";

/// Reports a mistake at `key` where no [listener.tls] of the file asks for certificates: the
/// setting there would have no effect. `root` is the whole file.
void expect_client_certificates(const ConfigReader& reader, std::string_view key,
                                const ConfigReader& root);

}  // namespace limpet
