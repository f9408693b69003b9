// SPDX-License-Identifier: Apache-2.0
#pragma once
// Node: limpet's own tree of configuration values, each with its place in the files. parse.cc makes
// it from TOML, merge() joins files, ConfigReader reads it. Nothing here knows which keys exist.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/mistakes.h"
#include "daemon/config/source.h"

namespace limpet {

/// What a value is. kOther: dates and times, which no key takes.
enum class NodeKind : std::uint8_t { kText, kInteger, kReal, kFlag, kList, kTable, kOther };

/// One value of the configuration: a scalar, a list, or a table with its keys in file order.
/// Owns: its children.
struct Node {
  NodeKind kind = NodeKind::kTable;
  bool is_from_environment =
      false;              ///< a text in which ${NAME} was replaced: may stand for a number or flag
  Position position;      ///< of the value (a table: of its header or brace)
  Position key_position;  ///< of the key in front of it; equals position in lists
  std::string key;        ///< empty in lists
  std::string text;
  std::int64_t integer = 0;
  double real = 0;
  bool flag = false;
  std::vector<Node> children;
  std::map<std::string, std::size_t, std::less<>> by_key;  ///< tables: where in children a key is

  /// The child of a table with that key, or null.
  [[nodiscard]] const Node* find(std::string_view name) const;
  [[nodiscard]] Node* find(std::string_view name);
  /// Appends a child; in a table its key is new.
  void append(Node child);
  [[nodiscard]] bool is_table() const noexcept { return kind == NodeKind::kTable; }
  /// Whether it is a list in which every element is a table; an empty list is one.
  [[nodiscard]] bool is_list_of_tables() const noexcept;
};

/// What a person would call the value: `the text "abc"`, `the number 5`, `a table`.
[[nodiscard]] std::string describe(const Node& node);

/// Adds what `added` holds to `into`: tables are joined, lists of tables appended.
/// Errors: a key with any other value in both is a mistake naming both places; the first stays.
void merge(Node& into, Node added, const Sources& sources, Mistakes& mistakes);

}  // namespace limpet
