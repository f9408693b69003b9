// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/dump.h"

#include <string>
#include <vector>

#include "daemon/config/ledger.h"
#include "daemon/config/literal.h"

namespace limpet {
namespace {

/// The header of a table: pool.web.affinity, with quotes where a name needs them.
std::string header_of(const AskedTable& table) {  // NOLINT(misc-no-recursion)
  if (table.parent == nullptr) return {};
  const std::string around = header_of(*table.parent);
  return (around.empty() ? "" : around + '.') + literal::key(table.key);
}

class Dumper {
 public:
  explicit Dumper(std::string& out) : out_(out) {}

  void table(const AskedTable& table) {  // NOLINT(misc-no-recursion)
    header(table);
    // A value behind a sub-table's header would belong to the sub-table, so values come first.
    for (const AskedKey& asked : table.asked) {
      if (asked.as == AskedAs::kValue && !is_include(table, asked)) value(asked);
    }
    for (const AskedKey& asked : table.asked) {
      for (const auto& child : asked.tables)
        this->table(*child);
    }
  }

  /// One key in its table.
  void one(const AskedTable& table, const AskedKey& asked) {
    header(table);
    value(asked);
  }

 private:
  static bool is_include(const AskedTable& table, const AskedKey& asked) {
    return table.parent == nullptr && asked.key == "include";
  }

  static bool has_values(const AskedTable& table) {
    for (const AskedKey& asked : table.asked) {
      if (asked.as == AskedAs::kValue) return true;
    }
    return false;
  }

  void header(const AskedTable& table) {
    if (table.parent == nullptr || (!table.is_element && !has_values(table))) return;
    if (!out_.empty()) out_ += '\n';
    const std::string name = header_of(table);
    out_ += table.is_element ? "[[" + name + "]]\n" : '[' + name + "]\n";
  }

  void value(const AskedKey& asked) {
    out_ += literal::key(asked.key) + " = " + asked.value + "  # default";
    if (asked.value != asked.fallback) out_ += ": " + asked.fallback;
    out_ += '\n';
  }

  std::string& out_;
};

// A path as people write it, where [[listener]] has no number: pool.web.replica.
std::string plain_path_of(const AskedTable& table) {  // NOLINT(misc-no-recursion)
  if (table.parent == nullptr) return {};
  std::string path = plain_path_of(*table.parent);
  if (!path.empty()) path += '.';
  return path += table.key;
}

bool is_at(const AskedTable& table, std::string_view path) {
  return path_of(table) == path || plain_path_of(table) == path;
}

// All tables at the path: it may name a [[list]] as a whole.
void find(const AskedTable& table, std::string_view path,  // NOLINT(misc-no-recursion)
          std::vector<const AskedTable*>& found) {
  if (is_at(table, path)) return found.push_back(&table);
  for (const AskedKey& asked : table.asked) {
    for (const auto& child : asked.tables)
      find(*child, path, found);
  }
}

// The path may end in a key.
void find_keys(const AskedTable& table, std::string_view path, Dumper& dumper) {
  const std::size_t dot = path.rfind('.');
  const std::string_view key = dot == std::string_view::npos ? path : path.substr(dot + 1);
  std::vector<const AskedTable*> found;
  if (dot != std::string_view::npos) find(table, path.substr(0, dot), found);
  for (const AskedTable* at : found) {
    for (const AskedKey& asked : at->asked) {
      if (asked.as == AskedAs::kValue && asked.key == key) dumper.one(*at, asked);
    }
  }
}

}  // namespace

std::string dump(const Config& config) {
  std::string out;
  Dumper(out).table(config.ledger().root());
  return out;
}

std::string dump(const Config& config, std::string_view path) {
  std::string out;
  Dumper dumper(out);
  std::vector<const AskedTable*> found;
  find(config.ledger().root(), path, found);
  for (const AskedTable* table : found)
    dumper.table(*table);
  if (found.empty()) find_keys(config.ledger().root(), path, dumper);
  return out;
}

}  // namespace limpet
