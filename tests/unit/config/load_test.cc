// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/load.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "tests/unit/config/fake_modules.h"

namespace limpet {
namespace {

constexpr std::string_view kSound =
    "[[listener]]\nbind = [\"127.0.0.1:0\"]\n[[route]]\npool = \"web\"\n";

/// A folder that is gone at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "limpet-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string write(const std::string& name, std::string_view text) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file.string();
  }
  /// The text with this folder's name taken out.
  std::string without_name(std::string text) const {
    const std::string prefix = path_.string() + "/";
    for (std::size_t at = 0; (at = text.find(prefix)) != std::string::npos;) {
      text.erase(at, prefix.size());
    }
    return text;
  }

 private:
  std::filesystem::path path_;
};

TEST_CASE("a file that cannot be opened is a mistake, not the end") {
  const Config config = Config::load_file("/nonexistent/limpet.toml");
  CHECK(config.mistakes().render() ==
        "/nonexistent/limpet.toml: error: cannot be opened: No such file or directory\n");
  CHECK(config.model().limits.header_fields == 100);
}

TEST_CASE("a folder in place of a file is a mistake") {
  const Config config = Config::load_file("/");
  CHECK(config.mistakes().render() == "/: error: cannot be read: Is a directory\n");
}

TEST_CASE("included files are joined in name order, and each keeps its place") {
  const Folder folder;
  const std::string main =
      folder.write("limpet.toml", "include = [\"conf.d/*.toml\"]\n" + std::string(kSound));
  folder.write("conf.d/20-b.toml", "[pool.b]\nreplicas = [\"10.0.0.2:80\"]\n");
  folder.write("conf.d/10-web.toml",
               "[pool.web]\nreplicas = [\"10.0.0.1:80\"]\n[[route]]\npath = \"/b\"\npool = \"b\"\n"
               "[limits]\nheader_fields = 50\n");
  folder.write("conf.d/ignored.txt", "= not TOML");
  Config config = Config::load_file(main);
  fake::ask_all(config);
  CHECK(config.mistakes().render() == "");
  REQUIRE(config.model().pools.size() == 2);
  CHECK(config.model().pools[0].name == "web");
  CHECK(config.model().pools[1].name == "b");
  CHECK(config.model().routes.size() == 2);
  CHECK(config.model().limits.header_fields == 50);
}

TEST_CASE("a key set in two files names both places") {
  const Folder folder;
  const std::string main = folder.write(
      "limpet.toml", "include = [\"more.toml\"]\n[daemon]\npin = true\n" + std::string(kSound));
  folder.write("more.toml", "[daemon]\n  pin = false\n[pool.web]\nreplicas = [\"10.0.0.1:80\"]\n");
  const Config config = Config::load_file(main);
  CHECK(folder.without_name(config.mistakes().render()) ==
        "more.toml:2:3: error: \"pin\" is set twice, first at limpet.toml:3:1\n  pin = false\n  "
        "^\n");
  CHECK(config.model().daemon.pin);
}

TEST_CASE("a syntax error in one file does not hide the mistakes of the others") {
  const Folder folder;
  const std::string main = folder.write(
      "limpet.toml", "include = [\"*.toml\"]\n[daemon]\npin = 1\n" + std::string(kSound));
  folder.write("a.toml", "[pool.web\n");
  folder.write("b.toml", "[limits]\nheader_fields = \"x\"\n");
  Config config = Config::load_file(main);
  config.report_unknown_keys({});
  const auto mistakes = config.mistakes().sorted();
  REQUIRE(mistakes.size() == 3);
  CHECK(mistakes[0].text == "pin: expected true or false, found the number 1");
  CHECK(folder.without_name(mistakes[1].file) == "a.toml");
  CHECK(mistakes[1].text.starts_with("syntax error: "));
  CHECK(mistakes[1].line == 1);
  CHECK(folder.without_name(mistakes[2].file) == "b.toml");
}

TEST_CASE("a file named outright is missed, a pattern without files is not") {
  const Folder folder;
  const std::string main =
      folder.write("limpet.toml", "include = [\"none-*.toml\", \"gone.toml\"]\n");
  const Config config = Config::load_file(main);
  CHECK(folder.without_name(config.mistakes().render()) ==
        "limpet.toml:1:27: error: gone.toml cannot be opened: No such file or directory\n"
        "include = [\"none-*.toml\", \"gone.toml\"]\n                          ^\n");
}

TEST_CASE("only the main file includes") {
  const Folder folder;
  const std::string main = folder.write("limpet.toml", "include = [\"a.toml\"]\n");
  folder.write("a.toml", "include = [\"b.toml\"]\n");
  const Config config = Config::load_file(main);
  CHECK(folder.without_name(config.mistakes().render())
            .find("a.toml:1:1: error: include: only the main file includes others\n") !=
        std::string::npos);
}

TEST_CASE("a text that is not a file cannot include") {
  const Config config =
      Config::from_text("include = [\"/etc/*.toml\"]\n" + std::string(kSound), "demo");
  CHECK(config.mistakes().sorted().at(0).text ==
        "include: this configuration is not a file, it has no folder");
}

TEST_CASE("a configuration can be moved; its readers stay good") {
  Config first = Config::from_text(
      std::string(kSound) + "[pool.web]\nreplicas = [\"10.0.0.1:80\"]\naffinity.idle = \"5m\"\n",
      "l.toml");
  const Config second = std::move(first);
  CHECK(second.is_valid());
  CHECK(second.model().pools.at(0).settings.table("affinity").duration("idle", kForever) ==
        std::chrono::minutes(5));
}

TEST_CASE("whether replicas are told of the client by a PROXY header is a word") {
  struct Row {
    const char* word;
    ProxyVersion version;
  };
  constexpr Row kRows[] = {
      {"off", ProxyVersion::kNone}, {"v1", ProxyVersion::k1}, {"v2", ProxyVersion::k2}};
  for (const Row& row : kRows) {
    const Config config = Config::from_text(
        std::string(kSound) + "[pool.web]\nreplicas = [\"10.0.0.1:80\"]\nsend_proxy_protocol = \"" +
            row.word + "\"\n",
        "l.toml");
    CHECK(config.is_valid());
    CHECK(config.model().pools.at(0).send_proxy_protocol == row.version);
  }
  const Config config = Config::from_text(
      std::string(kSound) +
          "[pool.web]\nreplicas = [\"10.0.0.1:80\"]\nsend_proxy_protocol = true\n",
      "l.toml");
  CHECK_FALSE(config.is_valid());
}

TEST_CASE("a place of the model takes mistakes found later") {
  Config config = Config::from_text(std::string(kSound), "l.toml");
  config.mistake(config.model().listeners.at(0).bind.at(0).where, "cannot be bound");
  CHECK(config.mistakes().render().find(
            "l.toml:2:9: error: cannot be bound\nbind = [\"127.0.0.1:0\"]\n        ^\n") !=
        std::string::npos);
}

TEST_CASE("ten thousand replicas are read without a thought") {
  std::string text(kSound);
  text += "[pool.web]\n";
  for (int i = 0; i < 10'000; ++i) {
    text += "[[pool.web.replica]]\nid = \"r" + std::to_string(i) + "\"\naddress = \"10." +
            std::to_string(i / 62500) + "." + std::to_string(i / 250 % 250) + "." +
            std::to_string(i % 250 + 1) + ":80\"\n";
  }
  Config config = Config::from_text(text, "l.toml");
  fake::ask_all(config);
  CHECK(config.mistakes().render() == "");
  CHECK(config.model().pools.at(0).replicas.size() == 10'000);
}

}  // namespace
}  // namespace limpet
