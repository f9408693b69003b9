// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/ledger.h"

#include <array>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "daemon/config/load.h"

namespace limpet {
namespace {

constexpr std::array<std::string_view, 2> kModules = {"affinity", "mcp"};

TEST_CASE("keys that nobody asked for are unknown, with the nearest one") {
  Config config = Config::fragment("adress = 1\n[t]\nzzz = 1\nknown = 1\n[tt.u]\n", "f.toml");
  static_cast<void>(config.root().text("address", ""));
  static_cast<void>(config.root().table("t").number("known", 0, 0, 9));
  config.report_unknown_keys({});
  CHECK(config.mistakes().render() ==
        "f.toml:1:1: error: unknown key \"adress\", did you mean \"address\"?\nadress = 1\n^\n"
        "f.toml:3:1: error: unknown key \"zzz\"\nzzz = 1\n^\n"
        "f.toml:5:2: error: unknown table \"tt\", did you mean \"t\"?\n[tt.u]\n ^\n");
}

TEST_CASE("inside a table that nobody read nothing is reported") {
  Config config = Config::fragment("[pool.web.mcp]\nx = 1\n", "f.toml");
  static_cast<void>(config.root().tables_by_name("pool"));
  config.report_unknown_keys(kModules);
  CHECK(config.is_valid());
}

TEST_CASE("a pool's table that resembles a module's is unknown") {
  Config config = Config::fragment("[pool.web.afinity]\nx = 1\n", "f.toml");
  static_cast<void>(config.root().tables_by_name("pool"));
  config.report_unknown_keys(kModules);
  CHECK(config.mistakes().render() ==
        "f.toml:1:11: error: unknown table \"afinity\", did you mean \"affinity\"?\n"
        "[pool.web.afinity]\n          ^\n");
}

TEST_CASE("modules have their tables in pools and nowhere else") {
  Config config = Config::fragment("[mcp]\nx = 1\n[pool.web]\nmcp = 1\n", "f.toml");
  static_cast<void>(config.root().tables_by_name("pool"));
  config.report_unknown_keys(kModules);
  CHECK(config.mistakes().size() == 2);
}

TEST_CASE("elements of lists of tables are searched too") {
  Config config = Config::fragment("[[r]]\na = 1\n[[r]]\nab = 1\n", "f.toml");
  for (const ConfigReader& in : config.root().tables("r")) {
    static_cast<void>(in.number("a", 0, 0, 1));
  }
  config.report_unknown_keys({});
  CHECK(config.mistakes().render() ==
        "f.toml:4:1: error: unknown key \"ab\", did you mean \"a\"?\nab = 1\n^\n");
}

TEST_CASE("a key asked for twice is one key, and its mistake one mistake") {
  Config config = Config::fragment("[t]\na = \"x\"\n", "f.toml");
  static_cast<void>(config.root().table("t").number("a", 0, 0, 9));
  static_cast<void>(config.root().table("t").number("a", 0, 0, 9));
  CHECK(config.mistakes().size() == 1);
  REQUIRE(config.ledger().root().asked.size() == 1);
  CHECK(config.ledger().root().asked[0].tables[0]->asked.size() == 1);
}

TEST_CASE("the ledger keeps value, default and help") {
  Config config = Config::fragment("a = 5\n", "f.toml");
  static_cast<void>(config.root().number("a", 7, 0, 9, "how many"));
  const AskedKey& asked = config.ledger().root().asked.at(0);
  CHECK(asked.value == "5");
  CHECK(asked.fallback == "7");
  CHECK(asked.help == "how many");
}

}  // namespace
}  // namespace limpet
