// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/text.h"

#include <array>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

TEST_CASE("numbers are whole or nothing") {
  CHECK(text::parse_unsigned("0") == 0U);
  CHECK(text::parse_unsigned("18446744073709551615") == UINT64_MAX);
  for (const char* wrong : {"", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616", "1,1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(text::parse_unsigned(wrong).has_value());
  }
}

TEST_CASE("escaping leaves no control, quote or non-ASCII byte") {
  CHECK(text::escaped("a\"b\\c") == "a\\\"b\\\\c");
  CHECK(text::escaped("\r\n\x7f\xc3") == "\\u000d\\u000a\\u007f\\u00c3");
}

TEST_CASE("the nearest word is found for one slip and not for another word") {
  constexpr std::array<std::string_view, 3> kWords = {"address", "weight", "revision"};
  CHECK(text::nearest("adress", kWords) == "address");
  CHECK(text::nearest("wieght", kWords) == "weight");
  CHECK(text::nearest("colour", kWords).empty());
}

TEST_CASE("base64 reads what it writes, and refuses a second spelling of the same bytes") {
  for (const std::string& bytes : {std::string(), std::string("f"), std::string("fo"),
                                   std::string("foo"), std::string("\xff\x00\xfe", 3)}) {
    CHECK(text::from_base64(text::base64url(bytes)) == bytes);
    CHECK(text::base64url(bytes).size() == text::base64url_length(bytes.size()));
  }
  CHECK(text::from_base64("Zm9v") == "foo");
  CHECK(text::from_base64("Zg==") == "f");
  CHECK_FALSE(text::from_base64("Zh").has_value());
  CHECK_FALSE(text::from_base64("Z").has_value());
  CHECK_FALSE(text::from_base64("Zm9*").has_value());
}

TEST_CASE("cut takes the head and leaves the rest") {
  std::string_view rest = "a=b=c";
  CHECK(text::cut(rest, '=') == "a");
  CHECK(rest == "b=c");
  CHECK(text::cut(rest, ';') == "b=c");
  CHECK(rest.empty());
}
