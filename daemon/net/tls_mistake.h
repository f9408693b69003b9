// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsMistake: what is wrong with one file of a TLS table, and the key that names the file, so that
// the operator is shown that line. Made while contexts are made; net/tls_server.h and
// net/tls_client.h gather all of them, proxy/tls_shelf.h reports or logs them.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/config/reader.h"

namespace limpet {

/// One mistake at one key.
struct TlsMistake {
  ConfigReader table;
  std::string_view key;  ///< a literal; "": the table itself
  std::string text;      ///< file, what is wrong, what was expected

  /// Puts it among the mistakes of the configuration.
  void report() const {
    if (key.empty())
      table.mistake(text);
    else
      table.mistake(key, text);
  }
};

using TlsMistakes = std::vector<TlsMistake>;

/// All of them in one text, a line each.
[[nodiscard]] inline Error joined(const TlsMistakes& mistakes) {
  Error all;
  for (const TlsMistake& mistake : mistakes)
    all.text += (all.text.empty() ? "" : "\n") + mistake.text;
  return all;
}

}  // namespace limpet
