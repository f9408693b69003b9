// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ledger: the book of what was asked of a configuration: every table that a ConfigReader looked at,
// every key with its effective value and its default. Unknown keys and --dump are read off it.
// Inside config only.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/mistakes.h"
#include "daemon/config/node.h"
#include "daemon/config/reader.h"

namespace limpet {

struct AskedTable;

/// How a key was asked for. kLooked: only whether it is there.
enum class AskedAs : std::uint8_t { kLooked, kValue, kTable, kTables };

/// One key that somebody asked for.
struct AskedKey {
  std::string key;
  AskedAs as = AskedAs::kLooked;
  std::string value;      ///< kValue: effective, as TOML
  std::string fallback;   ///< kValue: what a missing key would give, as TOML
  std::string_view help;  ///< a literal
  std::vector<std::unique_ptr<AskedTable>> tables;  ///< kTable: one; kTables: the elements
};

/// One table that somebody looked at, written down or not.
struct AskedTable {
  const AskedTable* parent = nullptr;
  std::string key;          ///< its key in the parent; "name[2]" style is made by path_of()
  std::size_t index = 0;    ///< among the elements of a list
  bool is_element = false;  ///< of a list of tables
  const Node* user = nullptr;
  const Node* preset = nullptr;
  Position where;  ///< of the table, or of the nearest one around it that is written down
  std::vector<AskedKey> asked;
  std::map<std::string, std::size_t, std::less<>> by_key;

  /// The entry for `name`, made where it is new.
  AskedKey& entry(std::string_view name);
  [[nodiscard]] const Node* user_value(std::string_view name) const;
  [[nodiscard]] const Node* preset_value(std::string_view name) const;
};

/// "pool.web.affinity", "listener[0].tls"; "" for the whole file.
[[nodiscard]] std::string path_of(const AskedTable& table);

/// The tables asked for in one Config.
/// Borrows: the nodes and the mistakes.
class Ledger {
 public:
  explicit Ledger(Mistakes& mistakes) : mistakes_(&mistakes) {}

  void set_root(const Node& root) { root_.user = &root; }
  [[nodiscard]] ConfigReader root_reader() { return {*this, root_}; }
  [[nodiscard]] const AskedTable& root() const noexcept { return root_; }
  [[nodiscard]] Mistakes& mistakes() noexcept { return *mistakes_; }

  /// Puts a preset's table beneath what the user wrote; before any key of the table is asked.
  void lay_beneath(const ConfigReader& reader, const Node& preset);
  /// The one table under `key`.
  AskedTable& table(AskedTable& parent, std::string_view key);
  /// The elements of the list under `key`.
  std::vector<AskedTable*> tables(AskedTable& parent, std::string_view key);
  /// See Config::report_unknown_keys().
  void report_unknown_keys(std::span<const std::string_view> module_names) const;

 private:
  void report_in(const AskedTable& table, std::span<const std::string_view> module_names) const;

  Mistakes* mistakes_;
  AskedTable root_;
};

}  // namespace limpet
