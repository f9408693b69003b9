// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/byte_scan.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

constexpr std::size_t kLongest = 70;  // more than four blocks

}  // namespace

TEST_CASE("byte scan: a text ends at the first quote, backslash or control character") {
  for (std::size_t bytes = 0; bytes < kLongest; ++bytes) {
    for (std::size_t behind = 0; behind < kLongest; behind += 23) {
      const std::string plain(bytes, 'a');
      for (const char mark : {'"', '\\', '\n', '\0', '\x1f'}) {
        const std::string text = plain + mark + std::string(behind, '"');
        const PlainText found = scan_text(text.data(), text.data() + text.size());
        CHECK(found.end == text.data() + bytes);
        CHECK(found.is_ascii);
      }
    }
    const std::string whole(bytes, ' ');
    CHECK(scan_text(whole.data(), whole.data() + bytes).end == whole.data() + bytes);
  }
}

TEST_CASE("byte scan: what is beyond ASCII is seen before the end, and not behind it") {
  for (std::size_t bytes = 1; bytes < kLongest; ++bytes) {
    for (std::size_t at = 0; at < bytes; ++at) {
      std::string text(bytes, '\x7f');
      text[at] = '\x80';
      CHECK_FALSE(scan_text(text.data(), text.data() + bytes).is_ascii);
      if (at == 0) continue;
      text[at - 1] = '"';
      const PlainText found = scan_text(text.data(), text.data() + bytes);
      CHECK(found.end == text.data() + at - 1);
      CHECK(found.is_ascii);
    }
  }
}

TEST_CASE("byte scan: a word is found wherever it stands, and only the whole of it") {
  for (std::size_t bytes = 0; bytes < kLongest; ++bytes) {
    for (std::size_t at = 0; at + 7 <= bytes; ++at) {
      std::string text(bytes, '"');
      text.replace(at, 7, "\"error\"");
      CHECK(holds(text, "\"error\""));
      text[at + 3] = 'R';
      CHECK_FALSE(holds(text, "\"error\""));
    }
    CHECK_FALSE(holds(std::string(bytes, '"'), "\"error\""));
  }
  CHECK_FALSE(holds(std::string_view{}, "\"error\""));
}

}  // namespace limpet::mcp
