// SPDX-License-Identifier: Apache-2.0
// Any text read as a configuration: it either has mistakes that can be printed, or a dump that
// loads again and gives the same dump.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/check.h"
#include "daemon/config/dump.h"
#include "tests/unit/config/fake_modules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  limpet::Config config = limpet::Config::from_text(text, "fuzz.toml");
  limpet::fake::ask_all(config);
  if (!config.is_valid()) {
    CHECK_THAT(!config.mistakes().render().empty());
    CHECK_THAT(config.mistakes().render_json().size() > 3);
    return 0;
  }
  const std::string first = limpet::dump(config);
  limpet::Config again = limpet::Config::from_text(first, "dump.toml");
  limpet::fake::ask_all(again);
  CHECK_THAT(again.is_valid());
  CHECK_THAT(limpet::dump(again) == first);
  return 0;
}
