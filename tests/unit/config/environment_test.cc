// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/environment.h"

#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

std::string fault(std::string_view text) {
  const auto expanded = expand_environment(text);
  return expanded ? "" : expanded.error().text;
}

TEST_CASE("names are replaced by the environment's values") {
  ::setenv("LIMPET_TEST_HOST", "10.0.0.1", 1);
  ::unsetenv("LIMPET_TEST_UNSET");
  CHECK(*expand_environment("${LIMPET_TEST_HOST}:80") == "10.0.0.1:80");
  CHECK(*expand_environment("a${LIMPET_TEST_UNSET:-b}c") == "abc");
  CHECK(*expand_environment("${LIMPET_TEST_HOST:-b}") == "10.0.0.1");
  CHECK(*expand_environment("${LIMPET_TEST_UNSET:-}") == "");
  CHECK(*expand_environment("no names") == "no names");
}

TEST_CASE("an empty variable takes the default, and is itself without one") {
  ::setenv("LIMPET_TEST_EMPTY", "", 1);
  CHECK(*expand_environment("${LIMPET_TEST_EMPTY:-x}") == "x");
  CHECK(*expand_environment("${LIMPET_TEST_EMPTY}") == "");
}

TEST_CASE("dollar signs survive: doubled, alone, and through escaping") {
  CHECK(*expand_environment("$$") == "$");
  CHECK(*expand_environment("$${HOME}") == "${HOME}");
  CHECK(*expand_environment("5$ and $x") == "5$ and $x");
  CHECK(*expand_environment("$") == "$");
  for (const char* text : {"${HOME}", "$$", "a$", "$$${x}", "plain"}) {
    CHECK(*expand_environment(escape_dollars(text)) == text);
  }
}

TEST_CASE("values are not expanded again") {
  ::setenv("LIMPET_TEST_NESTED", "${HOME}", 1);
  CHECK(*expand_environment("${LIMPET_TEST_NESTED}") == "${HOME}");
}

TEST_CASE("what cannot be replaced is a mistake that says so") {
  ::unsetenv("LIMPET_TEST_UNSET");
  CHECK(fault("${LIMPET_TEST_UNSET}") ==
        "environment variable LIMPET_TEST_UNSET is not set; ${LIMPET_TEST_UNSET:-default} gives a "
        "default");
  CHECK(fault("${A") == "\"${\" without \"}\"; write $$ for a dollar sign");
  CHECK(fault("${1A}") ==
        "\"${1A}\" is not ${NAME} or ${NAME:-default}; write $$ for a dollar sign");
  CHECK(!fault("${}").empty());
  CHECK(!fault("${A-b}").empty());
}

}  // namespace
}  // namespace limpet
