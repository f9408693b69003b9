// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/mistakes.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

TEST_CASE("a mistake shows file, line, column, the line and a caret") {
  Sources sources;
  const auto file = sources.add("limpet.toml", "[a]\n  adress = 1\n");
  Mistakes mistakes(sources);
  CHECK(mistakes.is_empty());
  CHECK(mistakes.render().empty());
  mistakes.add({file, 2, 3}, "unknown key \"adress\"" + did_you_mean("adress", {"address"}));
  CHECK(mistakes.render() ==
        "limpet.toml:2:3: error: unknown key \"adress\", did you mean \"address\"?\n"
        "  adress = 1\n"
        "  ^\n");
}

TEST_CASE("mistakes come by file, line and column, whatever the order they were found in") {
  Sources sources;
  const auto first = sources.add("a.toml", "x\ny z\n");
  const auto second = sources.add("b.toml", "q\n");
  Mistakes mistakes(sources);
  mistakes.add({second, 1, 1}, "4");
  mistakes.add({first, 2, 3}, "3");
  mistakes.add({first, 2, 1}, "2");
  mistakes.add({first, 0, 0}, "1");
  CHECK(mistakes.render() ==
        "a.toml: error: 1\n"
        "a.toml:2:1: error: 2\ny z\n^\n"
        "a.toml:2:3: error: 3\ny z\n  ^\n"
        "b.toml:1:1: error: 4\nq\n^\n");
}

TEST_CASE("the same mistake at the same place is kept once") {
  Sources sources;
  sources.add("a.toml", "x\n");
  Mistakes mistakes(sources);
  mistakes.add({0, 1, 1}, "same");
  mistakes.add({0, 1, 1}, "same");
  mistakes.add({0, 1, 1}, "other");
  CHECK(mistakes.size() == 2);
}

TEST_CASE("of a value that is given up nothing more is said") {
  Sources sources;
  sources.add("a.toml", "x = y\nz\n");
  Mistakes mistakes(sources);
  CHECK_FALSE(mistakes.has_at({0, 1, 5}));
  mistakes.add({0, 1, 5}, "the cause");
  CHECK(mistakes.has_at({0, 1, 5}));
  CHECK_FALSE(mistakes.has_at({0, 1, 1}));
  mistakes.give_up({0, 1, 5});
  mistakes.add({0, 1, 5}, "what follows from it");
  mistakes.add({0, 1, 1}, "another");
  CHECK(mistakes.size() == 2);
  mistakes.add({}, "of the file as a whole");
  mistakes.give_up({});
  mistakes.add({}, "another of it");
  CHECK(mistakes.size() == 4);
  CHECK_FALSE(mistakes.has_at({}));
}

TEST_CASE("the caret stands under its column behind tabs and letters of several bytes") {
  Sources sources;
  sources.add("a.toml", "\tk\xc3\xb6 = x\r\n");
  Mistakes mistakes(sources);
  mistakes.add({0, 1, 7}, "m");
  CHECK(mistakes.render() == "a.toml:1:7: error: m\n\tk\xc3\xb6 = x\n\t     ^\n");
}

TEST_CASE("a very long line is cut around the caret") {
  Sources sources;
  sources.add("a.toml", std::string(1000, 'a') + "B" + std::string(1000, 'c'));
  Mistakes mistakes(sources);
  mistakes.add({0, 1, 1001}, "m");
  CHECK(mistakes.render() == "a.toml:1:1001: error: m\n..." + std::string(60, 'a') + "B" +
                                 std::string(99, 'c') + "...\n" + std::string(63, ' ') + "^\n");
}

TEST_CASE("control bytes of a file do not reach the terminal") {
  Sources sources;
  sources.add("a.toml", "x\x1b[31m\n");
  Mistakes mistakes(sources);
  mistakes.add({0, 1, 2}, "m");
  CHECK(mistakes.render() == "a.toml:1:2: error: m\nx?[31m\n ^\n");
}

TEST_CASE("mistakes are JSON for programs") {
  Sources sources;
  sources.add("a \"b\".toml", "x = \"y\"\n");
  Mistakes mistakes(sources);
  CHECK(mistakes.render_json() == "[]\n");
  mistakes.add({0, 1, 5}, "say \"z\"");
  mistakes.add({0, 1, 1}, "n");
  CHECK(
      mistakes.render_json() ==
      "[\n"
      "  {\"file\": \"a \\\"b\\\".toml\", \"line\": 1, \"column\": 1, \"text\": \"n\", "
      "\"source\": \"x = \\\"y\\\"\"},\n"
      "  {\"file\": \"a \\\"b\\\".toml\", \"line\": 1, \"column\": 5, \"text\": \"say \\\"z\\\"\", "
      "\"source\": \"x = \\\"y\\\"\"}\n"
      "]\n");
}

TEST_CASE("only near words are offered") {
  CHECK(did_you_mean("afinity", {"balance", "affinity"}) == ", did you mean \"affinity\"?");
  CHECK(did_you_mean("zzz", {"balance", "affinity"}).empty());
  CHECK(did_you_mean("x", {}).empty());
}

}  // namespace
}  // namespace limpet
