// SPDX-License-Identifier: Apache-2.0
#pragma once
// Config: one configuration from file to model. It reads files, follows `include`, collects
// mistakes and fills the model; it builds nothing that runs (proxy/snapshot.h does) and knows no
// module.
//
// The order of use: load_file(), build the snapshot (modules read their tables),
// report_unknown_keys(), look at mistakes(), perhaps dump().

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "daemon/config/mistakes.h"
#include "daemon/config/model.h"
#include "daemon/config/reader.h"
#include "daemon/config/source.h"

namespace limpet {

class Ledger;

/// A configuration as read, right or wrong: mistakes() tells.
/// Owns: sources, nodes, mistakes, model, and the state behind every ConfigReader. Move-only.
/// Thread: one at a time.
class Config {
 public:
  /// Reads the file and what it includes. Always returns; an unreadable file is a mistake.
  [[nodiscard]] static Config load_file(const std::string& path);
  /// Reads a text as if it were the main file `name`; `include` is refused.
  [[nodiscard]] static Config from_text(std::string_view text, std::string name);
  /// Reads any TOML without the rules of a main file: the model stays at its defaults, root() reads
  /// it. For replica files of discovery and for tests of modules.
  [[nodiscard]] static Config fragment(std::string_view text, std::string name);

  Config(Config&& other) noexcept;
  Config& operator=(Config&& other) noexcept;
  ~Config();

  [[nodiscard]] Mistakes& mistakes() noexcept;
  [[nodiscard]] const Mistakes& mistakes() const noexcept;
  [[nodiscard]] bool is_valid() const noexcept { return mistakes().is_empty(); }
  /// Whether every file could be read and parsed, so that what is missing is really missing.
  [[nodiscard]] bool is_whole() const noexcept;
  [[nodiscard]] const Model& model() const noexcept;
  /// A reader of the whole file.
  [[nodiscard]] ConfigReader root() const;
  /// Adds a mistake at a place that a model names.
  void mistake(Position position, std::string text);

  /// Adds a mistake for every key that nobody asked for, in the tables that were read. A pool's
  /// table that is named in `module_names` and was not read belongs to a module outside the pool's
  /// chain: no mistake.
  void report_unknown_keys(std::span<const std::string_view> module_names);

  [[nodiscard]] const Ledger& ledger() const noexcept;

 private:
  struct State;
  explicit Config(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace limpet
