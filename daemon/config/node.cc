// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/node.h"

#include <algorithm>
#include <utility>

#include "daemon/base/text.h"

namespace limpet {
namespace {

constexpr std::size_t kQuotedTextMax = 60;

bool is_joined_list(const Node& a, const Node& b) {
  return a.kind == NodeKind::kList && b.kind == NodeKind::kList && a.is_list_of_tables() &&
         b.is_list_of_tables();
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto at = by_key.find(name);
  return at == by_key.end() ? nullptr : &children[at->second];
}

Node* Node::find(std::string_view name) {
  const auto at = by_key.find(name);
  return at == by_key.end() ? nullptr : &children[at->second];
}

void Node::append(Node child) {
  if (kind == NodeKind::kTable) by_key.emplace(child.key, children.size());
  children.push_back(std::move(child));
}

bool Node::is_list_of_tables() const noexcept {
  return kind == NodeKind::kList &&
         std::all_of(children.begin(), children.end(), [](const Node& n) { return n.is_table(); });
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case NodeKind::kText: {
      const bool is_long = node.text.size() > kQuotedTextMax;
      return "the text \"" + text::escaped(std::string_view(node.text).substr(0, kQuotedTextMax)) +
             (is_long ? "...\"" : "\"");
    }
    case NodeKind::kInteger:
      return "the number " + std::to_string(node.integer);
    case NodeKind::kReal:
      return "a number with a fraction";
    case NodeKind::kFlag:
      return node.flag ? "true" : "false";
    case NodeKind::kList:
      return node.children.empty() ? "an empty list" : "a list";
    case NodeKind::kTable:
      return "a table";
    case NodeKind::kOther:
      return "a date or time";
  }
  return "something else";
}

// As deep as the parser lets a file be nested.
void merge(Node& into, Node added, const Sources& sources,  // NOLINT(misc-no-recursion)
           Mistakes& mistakes) {
  for (Node& child : added.children) {
    Node* present = into.find(child.key);
    if (present == nullptr) {
      into.append(std::move(child));
    } else if (present->is_table() && child.is_table()) {
      merge(*present, std::move(child), sources, mistakes);
    } else if (is_joined_list(*present, child)) {
      for (Node& element : child.children)
        present->append(std::move(element));
    } else {
      mistakes.add(child.key_position, "\"" + text::escaped(child.key) +
                                           "\" is set twice, first at " +
                                           sources.print(present->key_position));
    }
  }
}

}  // namespace limpet
