// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/ledger.h"

#include <algorithm>
#include <utility>

#include "daemon/base/text.h"

namespace limpet {
namespace {

bool is_pool(const AskedTable& table) {
  return table.parent != nullptr && table.parent->key == "pool" && !table.is_element &&
         table.parent->parent != nullptr && table.parent->parent->parent == nullptr;
}

bool holds_tables(const Node& node) {
  return node.is_table() || (node.is_list_of_tables() && !node.children.empty());
}

std::unique_ptr<AskedTable> child_of(const AskedTable& parent, std::string_view key) {
  auto child = std::make_unique<AskedTable>();
  child->parent = &parent;
  child->key = key;
  child->where = parent.where;
  return child;
}

}  // namespace

AskedKey& AskedTable::entry(std::string_view name) {
  const auto at = by_key.find(name);
  if (at != by_key.end()) return asked[at->second];
  by_key.emplace(std::string(name), asked.size());
  asked.emplace_back().key = name;
  return asked.back();
}

const Node* AskedTable::user_value(std::string_view name) const {
  return user == nullptr ? nullptr : user->find(name);
}

const Node* AskedTable::preset_value(std::string_view name) const {
  return preset == nullptr ? nullptr : preset->find(name);
}

// As deep as a file may be nested, like all that walks over its tables.
std::string path_of(const AskedTable& table) {  // NOLINT(misc-no-recursion)
  if (table.parent == nullptr) return {};
  std::string path = path_of(*table.parent);
  if (!path.empty()) path += '.';
  path += table.key;
  if (table.is_element) path += '[' + std::to_string(table.index) + ']';
  return path;
}

void Ledger::lay_beneath(const ConfigReader& reader, const Node& preset) {
  reader.table_->preset = &preset;
}

AskedTable& Ledger::table(AskedTable& parent, std::string_view key) {
  AskedKey& entry = parent.entry(key);
  if (entry.as == AskedAs::kTable) return *entry.tables.front();
  entry.as = AskedAs::kTable;
  entry.tables.push_back(child_of(parent, key));
  AskedTable& child = *entry.tables.front();
  const Node* user = parent.user_value(key);
  const Node* preset = parent.preset_value(key);
  if (preset != nullptr && preset->is_table()) child.preset = preset;
  if (user == nullptr) return child;
  child.where = user->position;
  if (user->is_table()) {
    child.user = user;
  } else {
    mistakes_->add(user->position, child.key + ": expected a table, found " + describe(*user));
  }
  return child;
}

std::vector<AskedTable*> Ledger::tables(AskedTable& parent, std::string_view key) {
  AskedKey& entry = parent.entry(key);
  if (entry.as != AskedAs::kTables) {
    entry.as = AskedAs::kTables;
    const Node* user = parent.user_value(key);
    if (user != nullptr && user->is_list_of_tables()) {
      for (const Node& element : user->children) {
        auto child = child_of(parent, key);
        child->is_element = true;
        child->index = entry.tables.size();
        child->user = &element;
        child->where = element.position;
        entry.tables.push_back(std::move(child));
      }
    } else if (user != nullptr) {
      mistakes_->add(user->position, std::string(key) + ": expected tables, each written [[" +
                                         path_of(parent) + (parent.parent == nullptr ? "" : ".") +
                                         std::string(key) + "]], found " + describe(*user));
    }
  }
  std::vector<AskedTable*> all;
  for (const auto& child : entry.tables)
    all.push_back(child.get());
  return all;
}

void Ledger::report_unknown_keys(std::span<const std::string_view> module_names) const {
  report_in(root_, module_names);
}

void Ledger::report_in(const AskedTable& table,  // NOLINT(misc-no-recursion)
                       std::span<const std::string_view> module_names) const {
  std::vector<std::string_view> known;
  for (const AskedKey& asked : table.asked)
    known.emplace_back(asked.key);
  if (is_pool(table)) known.insert(known.end(), module_names.begin(), module_names.end());
  if (table.user != nullptr) {
    for (const Node& child : table.user->children) {
      if (table.by_key.find(child.key) != table.by_key.end()) continue;
      const bool is_modules =
          is_pool(table) && child.is_table() &&
          std::find(module_names.begin(), module_names.end(), child.key) != module_names.end();
      if (is_modules) continue;
      mistakes_->add(child.key_position,
                     std::string("unknown ") + (holds_tables(child) ? "table" : "key") + " \"" +
                         text::escaped(child.key) + "\"" + did_you_mean(child.key, known));
    }
  }
  for (const AskedKey& asked : table.asked) {
    for (const auto& child : asked.tables)
      report_in(*child, module_names);
  }
}

}  // namespace limpet
