// SPDX-License-Identifier: Apache-2.0
#pragma once
// ConfigReader: a typed view of one table, for modules and for the core's own loaders. Asking for a
// key also declares it: keys nobody asked for are reported as unknown, and --dump prints what was
// asked. A wrong value becomes a mistake and the default is returned, so that reading always goes
// on.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/config/source.h"

namespace limpet {

struct Node;
class Ledger;
struct AskedTable;

/// Whether a duration may be "off", which reads as kForever.
enum class Off : std::uint8_t { kRefused, kAllowed };

/// One word a key may hold, and what it means.
template <typename Meaning>
struct ConfigWord {
  std::string_view word;
  Meaning meaning;
};

/// A view of one table of the configuration, with a pool's preset beneath it.
/// The value of a key is the user's, else the preset's, else the default passed. Every `help` is a
/// string literal, one short sentence for the operator. A reader made by `ConfigReader{}` is an
/// empty table. Lifetime: a handle of two pointers, valid as long as the Config it came from.
/// Thread: one thread at a time for all readers of one Config.
class ConfigReader {
 public:
  ConfigReader() = default;

  [[nodiscard]] std::string text(std::string_view key, std::string_view fallback,
                                 std::string_view help = {}) const;
  [[nodiscard]] bool flag(std::string_view key, bool fallback, std::string_view help = {}) const;
  /// true, false, or "auto", which is the default and reads as nothing.
  [[nodiscard]] std::optional<bool> flag_or_auto(std::string_view key,
                                                 std::string_view help = {}) const;
  /// A whole number from `min` to `max`.
  [[nodiscard]] std::int64_t number(std::string_view key, std::int64_t fallback, std::int64_t min,
                                    std::int64_t max, std::string_view help = {}) const;
  /// A whole number from `min` to `max`, or "auto", which is the default and reads as nothing.
  [[nodiscard]] std::optional<std::int64_t> number_or_auto(std::string_view key, std::int64_t min,
                                                           std::int64_t max,
                                                           std::string_view help = {}) const;
  [[nodiscard]] double real(std::string_view key, double fallback,
                            std::string_view help = {}) const;
  /// "250ms" "10s" "5m" "2h" "1d"; where allowed "off", which is kForever.
  [[nodiscard]] Duration duration(std::string_view key, Duration fallback, Off off = Off::kRefused,
                                  std::string_view help = {}) const;
  /// "64KiB" "1MiB" or a plain number of bytes.
  [[nodiscard]] std::uint64_t bytes(std::string_view key, std::uint64_t fallback,
                                    std::uint64_t min = 0, std::string_view help = {}) const;
  /// One of `words`.
  [[nodiscard]] std::string choice(std::string_view key, std::string_view fallback,
                                   std::initializer_list<std::string_view> words,
                                   std::string_view help = {}) const;
  /// The meaning of one of the words: choice("state", State::kUp, {{"up", State::kUp}, …}).
  template <typename Meaning>
  [[nodiscard]] Meaning choice(std::string_view key, Meaning fallback,
                               std::initializer_list<ConfigWord<Meaning>> choices,
                               std::string_view help = {}) const;
  /// A list of texts.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key,
                                               std::vector<std::string> fallback,
                                               std::string_view help = {}) const;
  /// A list of texts, each of which is one of `words`.
  [[nodiscard]] std::vector<std::string> choices(std::string_view key,
                                                 std::vector<std::string> fallback,
                                                 std::initializer_list<std::string_view> words,
                                                 std::string_view help = {}) const;
  /// A table of names and whole numbers that are not negative, such as `revisions`; empty by
  /// default.
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> integers_by_name(
      std::string_view key, std::string_view help = {}) const;

  /// A table of names and texts, such as header fields; empty by default.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> texts_by_name(
      std::string_view key, std::string_view help = {}) const;

  /// The table under `key`; an empty one where it is missing. The same table asked twice is one
  /// table.
  [[nodiscard]] ConfigReader table(std::string_view key) const;
  /// The elements of an array of tables, [[key]]; none where it is missing.
  [[nodiscard]] std::vector<ConfigReader> tables(std::string_view key) const;
  /// The tables under `key` by free names, in file order: [key.NAME].
  [[nodiscard]] std::vector<std::pair<std::string, ConfigReader>> tables_by_name(
      std::string_view key) const;

  /// Whether the user or the preset sets the key.
  [[nodiscard]] bool has(std::string_view key) const;
  /// Whether the key is set to a text, where a table is the usual form: active = "off".
  [[nodiscard]] bool is_text(std::string_view key) const;

  /// Reports a mistake at the key's value, or at the table where the user does not set the key.
  void mistake(std::string_view key, std::string text) const;
  /// Reports a mistake at one element of the list under `key`.
  void mistake(std::string_view key, std::size_t index, std::string text) const;
  /// Reports a mistake at the table itself.
  void mistake(std::string text) const;

  /// Where the table is, for people: "pool.web.affinity", "listener[0]".
  [[nodiscard]] std::string path() const;
  /// Where the table begins, or the nearest table around it that is written down.
  [[nodiscard]] Position position() const;
  /// Where the value of the key is, or the table; `index` picks an element of a list.
  [[nodiscard]] Position position(std::string_view key) const;
  [[nodiscard]] Position position(std::string_view key, std::size_t index) const;
  /// The key of this table in the one around it, "" for an element of a list: "web" in [pool.web].
  [[nodiscard]] std::string name() const;

 private:
  friend class Ledger;
  ConfigReader(Ledger& ledger, AskedTable& table) : ledger_(&ledger), table_(&table) {}
  [[nodiscard]] std::string word_of(std::string_view key, std::string_view fallback,
                                    const std::vector<std::string_view>& words,
                                    std::string_view help) const;

  Ledger* ledger_ = nullptr;
  AskedTable* table_ = nullptr;
};

template <typename Meaning>
Meaning ConfigReader::choice(std::string_view key, Meaning fallback,
                             std::initializer_list<ConfigWord<Meaning>> choices,
                             std::string_view help) const {
  std::vector<std::string_view> words;
  std::string_view fallback_word;
  for (const ConfigWord<Meaning>& choice : choices) {
    words.push_back(choice.word);
    if (choice.meaning == fallback) fallback_word = choice.word;
  }
  const std::string word = word_of(key, fallback_word, words, help);
  for (const ConfigWord<Meaning>& choice : choices) {
    if (choice.word == word) return choice.meaning;
  }
  return fallback;
}

}  // namespace limpet
