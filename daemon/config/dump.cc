// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/dump.h"

#include "daemon/config/ledger.h"
#include "daemon/config/literal.h"

namespace limpet {
namespace {

/// The header of a table: pool.web.affinity, with quotes where a name needs them.
std::string header_of(const AskedTable& table) {
  if (table.parent == nullptr) return {};
  const std::string around = header_of(*table.parent);
  return (around.empty() ? "" : around + '.') + literal::key(table.key);
}

class Dumper {
 public:
  explicit Dumper(std::string& out) : out_(out) {}

  void table(const AskedTable& table) {
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

const AskedTable* find(const AskedTable& table, std::string_view path) {
  if (path_of(table) == path) return &table;
  for (const AskedKey& asked : table.asked) {
    for (const auto& child : asked.tables) {
      if (const AskedTable* found = find(*child, path)) return found;
    }
  }
  return nullptr;
}

}  // namespace

std::string dump(const Config& config) {
  std::string out;
  Dumper(out).table(config.ledger().root());
  return out;
}

std::string dump(const Config& config, std::string_view path) {
  std::string out;
  const AskedTable* table = find(config.ledger().root(), path);
  if (table != nullptr) Dumper(out).table(*table);
  return out;
}

}  // namespace limpet
