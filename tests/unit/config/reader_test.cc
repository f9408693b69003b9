// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/reader.h"

#include <chrono>
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "daemon/config/load.h"

namespace limpet {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// The mistake that reading one key makes, rendered.
template <typename Ask>
std::string rendered(const char* text, Ask ask) {
  Config config = Config::fragment(text, "f.toml");
  static_cast<void>(ask(config.root()));
  return config.mistakes().render();
}

TEST_CASE("values of every type are read") {
  Config config = Config::fragment(
      "text = \"abc\"\nflag = true\nnumber = 5\nreal = 0.5\nwhole = 2\nduration = \"250ms\"\n"
      "never = \"off\"\nsize = \"64KiB\"\nplain = 100\nword = \"b\"\nlist = [\"x\", \"y\"]\n"
      "shares = { v2 = 10, \"v 1\" = 90 }\n",
      "f.toml");
  const ConfigReader in = config.root();
  CHECK(in.text("text", "") == "abc");
  CHECK(in.flag("flag", false));
  CHECK(in.number("number", 0, 0, 10) == 5);
  CHECK(in.real("real", 0) == doctest::Approx(0.5));
  CHECK(in.real("whole", 0) == doctest::Approx(2));
  CHECK(in.duration("duration", seconds(1)) == milliseconds(250));
  CHECK(in.duration("never", seconds(1), Off::kAllowed) == kForever);
  CHECK(in.bytes("size", 0) == 65536);
  CHECK(in.bytes("plain", 0) == 100);
  CHECK(in.choice("word", "a", {"a", "b"}) == "b");
  CHECK(in.choice<int>("word", 1, {{"a", 1}, {"b", 2}}) == 2);
  CHECK(in.texts("list", {}) == std::vector<std::string>{"x", "y"});
  CHECK(in.choices("list", {}, {"x", "y", "z"}) == std::vector<std::string>{"x", "y"});
  const auto shares = in.integers_by_name("shares");
  REQUIRE(shares.size() == 2);
  CHECK(shares[0] == std::pair<std::string, std::int64_t>("v2", 10));
  CHECK(shares[1] == std::pair<std::string, std::int64_t>("v 1", 90));
  CHECK(config.is_valid());
}

TEST_CASE("a missing key gives its default") {
  Config config = Config::fragment("", "f.toml");
  const ConfigReader in = config.root();
  CHECK(in.text("a", "d") == "d");
  CHECK(in.flag("b", true));
  CHECK(in.number("c", 7, 0, 10) == 7);
  CHECK(in.duration("d", minutes(3)) == minutes(3));
  CHECK(in.bytes("e", 9) == 9);
  CHECK(in.choice<int>("f", 1, {{"a", 1}, {"b", 2}}) == 1);
  CHECK(in.texts("g", {"x"}) == std::vector<std::string>{"x"});
  CHECK(in.integers_by_name("h").empty());
  CHECK(in.tables("i").empty());
  CHECK(in.tables_by_name("j").empty());
  CHECK(in.table("k").table("l").text("m", "deep") == "deep");
  CHECK_FALSE(in.has("a"));
  CHECK_FALSE(in.flag_or_auto("n").has_value());
  CHECK_FALSE(in.number_or_auto("o", 0, 1).has_value());
  CHECK(config.is_valid());
}

TEST_CASE("auto stands beside flags and numbers") {
  Config config = Config::fragment("a = \"auto\"\nb = false\nc = 4\nd = \"auto\"\n", "f.toml");
  CHECK_FALSE(config.root().flag_or_auto("a").has_value());
  CHECK(config.root().flag_or_auto("b") == std::optional<bool>(false));
  CHECK(config.root().number_or_auto("c", 1, 10) == std::optional<std::int64_t>(4));
  CHECK_FALSE(config.root().number_or_auto("d", 1, 10).has_value());
  CHECK(config.is_valid());
  CHECK(
      rendered("a = 3\n", [](const ConfigReader& in) { return in.flag_or_auto("a"); }) ==
      "f.toml:1:5: error: a: expected true, false or \"auto\", found the number 3\na = 3\n    ^\n");
  CHECK(rendered("a = 0\n", [](const ConfigReader& in) { return in.number_or_auto("a", 1, 8); }) ==
        "f.toml:1:5: error: a: expected a whole number from 1 to 8 or \"auto\", found the number "
        "0\na = 0\n    ^\n");
}

TEST_CASE("a reader of nothing is an empty table") {
  const ConfigReader in;
  CHECK(in.text("a", "d") == "d");
  CHECK(in.number("a", 3, 0, 5) == 3);
  CHECK(in.table("t").flag("a", true));
  CHECK(in.tables("t").empty());
  CHECK_FALSE(in.has("a"));
  in.mistake("a", "nobody hears this");
  CHECK(in.path().empty());
}

TEST_CASE("a wrong type says what was expected and what was found, and gives the default") {
  CHECK(rendered("a = 3\n", [](const ConfigReader& in) { return in.text("a", "d"); }) ==
        "f.toml:1:5: error: a: expected a text, found the number 3\na = 3\n    ^\n");
  CHECK(
      rendered("a = \"yes\"\n", [](const ConfigReader& in) { return in.flag("a", false); }) ==
      "f.toml:1:5: error: a: expected true or false, found the text \"yes\"\na = \"yes\"\n    ^\n");
  CHECK(rendered("a = 1.5\n", [](const ConfigReader& in) { return in.number("a", 0, 0, 9); }) ==
        "f.toml:1:5: error: a: expected a whole number from 0 to 9, found a number with a "
        "fraction\na = 1.5\n    ^\n");
  CHECK(rendered("a = [1]\n", [](const ConfigReader& in) { return in.real("a", 0); }) ==
        "f.toml:1:5: error: a: expected a number, found a list\na = [1]\n    ^\n");
  CHECK(rendered("a = 2026-01-01\n", [](const ConfigReader& in) { return in.text("a", ""); }) ==
        "f.toml:1:5: error: a: expected a text, found a date or time\na = 2026-01-01\n    ^\n");
  CHECK(rendered("a = {}\n", [](const ConfigReader& in) { return in.texts("a", {}); }) ==
        "f.toml:1:5: error: a: expected a list of texts, found a table\na = {}\n    ^\n");
  Config config = Config::fragment("a = 3\n", "f.toml");
  CHECK(config.root().text("a", "default") == "default");
}

TEST_CASE("a number outside its range names the range") {
  const auto ask = [](const ConfigReader& in) { return in.number("a", 1, 1, 1024); };
  CHECK(rendered("a = 0\n", ask) ==
        "f.toml:1:5: error: a: expected a whole number from 1 to 1024, found the number 0\n"
        "a = 0\n    ^\n");
  CHECK(rendered("a = 1025\n", ask).find("found the number 1025") != std::string::npos);
  CHECK(rendered("a = 1024\n", ask).empty());
}

TEST_CASE("a duration without unit or with a wrong one is a mistake") {
  const auto ask = [](const ConfigReader& in) { return in.duration("a", seconds(1)); };
  CHECK(rendered("a = 10\n", ask) ==
        "f.toml:1:5: error: a: expected a duration such as \"250ms\", \"10s\", \"5m\", \"2h\", "
        "\"1d\", found the number 10\na = 10\n    ^\n");
  CHECK(rendered("a = \"10 parsecs\"\n",
                 [](const ConfigReader& in) { return in.duration("a", {}, Off::kAllowed); }) ==
        "f.toml:1:5: error: a: expected a duration such as \"250ms\", \"10s\", \"5m\", \"2h\", "
        "\"1d\", or \"off\", found the text \"10 parsecs\"\na = \"10 parsecs\"\n    ^\n");
  CHECK(!rendered("a = \"off\"\n", ask).empty());
}

TEST_CASE("a size with a wrong unit, negative or too small is a mistake") {
  const auto ask = [](const ConfigReader& in) { return in.bytes("a", 4096, 1024); };
  CHECK(
      rendered("a = \"32kb\"\n", ask) ==
      "f.toml:1:5: error: a: expected a size such as \"64KiB\", \"1MiB\" or a number of bytes, at "
      "least 1KiB, found the text \"32kb\"\na = \"32kb\"\n    ^\n");
  CHECK(!rendered("a = -1\n", ask).empty());
  CHECK(!rendered("a = 1023\n", ask).empty());
  CHECK(rendered("a = 1024\n", ask).empty());
}

TEST_CASE("a word that is none of the choices gets the nearest offered") {
  CHECK(rendered("a = \"two-choice\"\n",
                 [](const ConfigReader& in) {
                   return in.choice("a", "random", {"two-choices", "random"});
                 }) ==
        "f.toml:1:5: error: a: expected one of \"two-choices\", \"random\", found the text "
        "\"two-choice\", did you mean \"two-choices\"?\na = \"two-choice\"\n    ^\n");
  CHECK(rendered("a = [\"x\", \"conect\"]\n",
                 [](const ConfigReader& in) {
                   return in.choices("a", {}, {"x", "connect"});
                 }) ==
        "f.toml:1:11: error: a: expected one of \"x\", \"connect\", found the text \"conect\", did "
        "you mean \"connect\"?\na = [\"x\", \"conect\"]\n          ^\n");
}

TEST_CASE("every wrong element of a list is reported") {
  CHECK(rendered("a = [1, \"x\", true]\n",
                 [](const ConfigReader& in) { return in.texts("a", {}); }) ==
        "f.toml:1:6: error: a: expected a text, found the number 1\n"
        "a = [1, \"x\", true]\n     ^\n"
        "f.toml:1:14: error: a: expected a text, found true\n"
        "a = [1, \"x\", true]\n             ^\n");
}

TEST_CASE("a wrong element of a list leaves the others in their places") {
  Config config = Config::fragment("a = [1, \"x\", true]\nr = { v1 = \"x\", v2 = 7 }\n", "f.toml");
  CHECK(config.root().texts("a", {}) == std::vector<std::string>{"", "x", ""});
  config.root().mistake("a", 0, "what follows from the first");
  config.root().mistake("a", 1, "what is wrong with the second");
  const auto shares = config.root().integers_by_name("r");
  REQUIRE(shares.size() == 2);
  CHECK(shares[1].second == 7);
  const std::string text = config.mistakes().render();
  CHECK(config.mistakes().size() == 4);
  CHECK(text.find("second") != std::string::npos);
  CHECK(text.find("follows") == std::string::npos);
}

TEST_CASE("a share that is no whole number is a mistake at its place") {
  CHECK(rendered("r = { v1 = -1 }\n",
                 [](const ConfigReader& in) { return in.integers_by_name("r"); }) ==
        "f.toml:1:12: error: v1: expected a whole number of at least 0, found the number -1\n"
        "r = { v1 = -1 }\n           ^\n");
}

TEST_CASE("a value where a table belongs is a mistake, and reads as an empty table") {
  CHECK(
      rendered("cookie = \"x\"\n",
               [](const ConfigReader& in) { return in.table("cookie").text("name", "limpet"); }) ==
      "f.toml:1:10: error: cookie: expected a table, found the text \"x\"\n"
      "cookie = \"x\"\n         ^\n");
  CHECK(rendered("[route]\npath = \"/\"\n",
                 [](const ConfigReader& in) { return in.tables("route"); }) ==
        "f.toml:1:1: error: route: expected tables, each written [[route]], found a table\n"
        "[route]\n^\n");
  CHECK(rendered("[p.x]\na = 1\n", [](const ConfigReader& in) {
          return in.table("p").tables("x");
        }).find("[[p.x]]") != std::string::npos);
}

TEST_CASE("the environment may give numbers and flags") {
  ::setenv("LIMPET_TEST_NUMBER", "8", 1);
  ::setenv("LIMPET_TEST_FLAG", "true", 1);
  Config config = Config::fragment(
      "a = \"${LIMPET_TEST_NUMBER}\"\nb = \"${LIMPET_TEST_FLAG}\"\nc = \"8\"\n", "f.toml");
  CHECK(config.root().number("a", 0, 0, 10) == 8);
  CHECK(config.root().flag("b", false));
  CHECK(config.is_valid());
  CHECK(config.root().number("c", 3, 0, 10) == 3);
  CHECK_FALSE(config.is_valid());
}

TEST_CASE("an unset variable is a mistake with its place") {
  ::unsetenv("LIMPET_TEST_UNSET");
  CHECK(rendered("[a]\nb = \"${LIMPET_TEST_UNSET}\"\n",
                 [](const ConfigReader& in) { return in.has("a"); }) ==
        "f.toml:2:5: error: environment variable LIMPET_TEST_UNSET is not set; "
        "${LIMPET_TEST_UNSET:-default} gives a default\nb = \"${LIMPET_TEST_UNSET}\"\n    ^\n");
}

TEST_CASE("tables are found by path, and elements by number") {
  Config config =
      Config::fragment("[[l]]\n[[l]]\na = 1\n[p.web]\n[p.web.affinity]\nx = [\"q\"]\n", "f.toml");
  const auto elements = config.root().tables("l");
  REQUIRE(elements.size() == 2);
  CHECK(elements[1].path() == "l[1]");
  CHECK(elements[1].number("a", 0, 0, 9) == 1);
  CHECK(elements[0].number("a", 0, 0, 9) == 0);
  const auto named = config.root().tables_by_name("p");
  REQUIRE(named.size() == 1);
  CHECK(named[0].first == "web");
  CHECK(named[0].second.name() == "web");
  CHECK(named[0].second.table("affinity").path() == "p.web.affinity");
  CHECK(config.root().path().empty());
  CHECK(config.root().is_text("l") == false);
}

TEST_CASE("a mistake of a module stands at the value, the element, or the table") {
  Config config = Config::fragment("[t]\na = \"x\"\nl = [\"p\", \"q\"]\n", "f.toml");
  const ConfigReader in = config.root().table("t");
  in.mistake("a", "at the value");
  in.mistake("l", 1, "at the element");
  in.mistake("unset", "at the table");
  in.table("inner").mistake("at the table around");
  in.mistake("itself");
  CHECK(config.mistakes().render() ==
        "f.toml:1:1: error: at the table\n[t]\n^\n"
        "f.toml:1:1: error: at the table around\n[t]\n^\n"
        "f.toml:1:1: error: itself\n[t]\n^\n"
        "f.toml:2:5: error: at the value\na = \"x\"\n    ^\n"
        "f.toml:3:11: error: at the element\nl = [\"p\", \"q\"]\n          ^\n");
}

}  // namespace
}  // namespace limpet
