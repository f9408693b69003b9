// SPDX-License-Identifier: Apache-2.0
#include "daemon/module/client_certificate.h"

#include <algorithm>
#include <string>

namespace limpet {

void expect_client_certificates(const ConfigReader& reader, std::string_view key,
                                const ConfigReader& root) {
  const auto listeners = root.tables("listener");
  const bool is_any_asked =
      std::any_of(listeners.begin(), listeners.end(), [](const ConfigReader& listener) {
        return listener.has("tls") && listener.table("tls").text("client_auth", "off") != "off";
      });
  if (is_any_asked) return;
  reader.mistake(key, std::string(key) +
                          ": no listener asks its clients for a certificate; expected client_auth "
                          "= \"required\" or \"optional\", and client_ca, in a [listener.tls]");
}

}  // namespace limpet
