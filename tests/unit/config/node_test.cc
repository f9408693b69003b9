// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/node.h"

#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "daemon/config/parse.h"

namespace limpet {
namespace {

/// Two texts merged, and what was said about it.
struct Merged {
  Merged(std::string first, std::string second) {
    const auto a = sources.add("a.toml", std::move(first));
    const auto b = sources.add("b.toml", std::move(second));
    root = *parse_toml(sources, a, mistakes);
    merge(root, *parse_toml(sources, b, mistakes), sources, mistakes);
  }
  Sources sources;
  Mistakes mistakes{sources};
  Node root;
};

TEST_CASE("a tree keeps the order of the file and the place of everything") {
  Sources sources;
  const auto file = sources.add("a.toml", "z = 1\na = \"x\"\n[t]\n  k = [ 1.5, true ]\n");
  Mistakes mistakes(sources);
  const std::optional<Node> root = parse_toml(sources, file, mistakes);
  REQUIRE(root);
  REQUIRE(root->children.size() == 3);
  CHECK(root->children[0].key == "z");
  CHECK(root->children[0].integer == 1);
  CHECK(root->children[1].text == "x");
  CHECK(root->children[1].position == Position{file, 2, 5});
  CHECK(root->children[1].key_position == Position{file, 2, 1});
  const Node* table = root->find("t");
  REQUIRE(table != nullptr);
  CHECK(table->position == Position{file, 3, 1});
  const Node* list = table->find("k");
  REQUIRE(list != nullptr);
  CHECK(list->position == Position{file, 4, 7});
  CHECK(list->children[0].kind == NodeKind::kReal);
  CHECK(list->children[1].flag);
  CHECK(list->children[1].position == Position{file, 4, 14});
  CHECK(root->find("none") == nullptr);
}

TEST_CASE("a syntax error is one mistake with its place, and no tree") {
  Sources sources;
  const auto file = sources.add("a.toml", "ok = 1\nbad = = 2\n");
  Mistakes mistakes(sources);
  CHECK_FALSE(parse_toml(sources, file, mistakes));
  REQUIRE(mistakes.size() == 1);
  CHECK(mistakes.sorted()[0].line == 2);
  CHECK(mistakes.sorted()[0].text.starts_with("syntax error: "));
}

TEST_CASE("a header that cannot begin a key is a syntax error like any other") {
  for (const char* text : {"[?]\n", "[[?]]\n", "[=]\n", "[\x80]\n", "a.? = 1\n", "\xc3\xa9 = 1\n",
                           "a \xef\xbb\xbe= 1\n"}) {
    Sources sources;
    const auto file = sources.add("a.toml", text);
    Mistakes mistakes(sources);
    CHECK_FALSE(parse_toml(sources, file, mistakes));
    CHECK(mistakes.size() == 1);
  }
}

TEST_CASE("nesting has a limit") {
  Sources sources;
  std::string text = "a = ";
  for (int i = 0; i < 40; ++i)
    text += "[";
  for (int i = 0; i < 40; ++i)
    text += "]";
  const auto file = sources.add("a.toml", text);
  Mistakes mistakes(sources);
  CHECK(parse_toml(sources, file, mistakes));
  REQUIRE(mistakes.size() == 1);
  CHECK(mistakes.sorted()[0].text == "nested more than 32 deep");
}

TEST_CASE("tables of two files are joined, lists of tables appended") {
  const Merged merged("[t]\na = 1\n[[l]]\nn = 1\n", "[t]\nb = 2\n[u]\nc = 3\n[[l]]\nn = 2\n");
  CHECK(merged.mistakes.is_empty());
  CHECK(merged.root.find("t")->find("a")->integer == 1);
  CHECK(merged.root.find("t")->find("b")->integer == 2);
  CHECK(merged.root.find("t")->find("b")->position.file == 1);
  CHECK(merged.root.find("u")->find("c")->integer == 3);
  REQUIRE(merged.root.find("l")->children.size() == 2);
  CHECK(merged.root.find("l")->children[1].find("n")->integer == 2);
}

TEST_CASE("the same key in two files is a mistake that names both places, and the first stays") {
  const Merged merged("[t]\na = 1\n", "[t]\n  a = 2\n");
  CHECK(merged.mistakes.render() ==
        "b.toml:2:3: error: \"a\" is set twice, first at a.toml:2:1\n  a = 2\n  ^\n");
  CHECK(merged.root.find("t")->find("a")->integer == 1);
}

TEST_CASE("a table and a value of one name, and two plain lists, do not join") {
  CHECK(Merged("a = 1\n", "[a]\nb = 1\n").mistakes.size() == 1);
  CHECK(Merged("a = [1]\n", "a = [2]\n").mistakes.size() == 1);
  CHECK(Merged("a = [1]\n", "[[a]]\nb = 1\n").mistakes.size() == 1);
}

TEST_CASE("values are described as a person would") {
  Node node;
  CHECK(describe(node) == "a table");
  node.kind = NodeKind::kText;
  node.text = std::string(100, 'x');
  CHECK(describe(node) == "the text \"" + std::string(60, 'x') + "...\"");
  node.kind = NodeKind::kList;
  CHECK(describe(node) == "an empty list");
}

}  // namespace
}  // namespace limpet
