// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/reader.h"

#include <utility>

#include "daemon/base/units.h"
#include "daemon/config/ledger.h"
#include "daemon/config/literal.h"
#include "daemon/config/node.h"
#include "daemon/config/values.h"

namespace limpet {
namespace {

/// One key of one table, about to be read.
struct Question {
  AskedTable& table;
  std::string_view key;
  std::string_view help;
};

/// The user's value, else the preset's, else `fallback`, written into the ledger. `read` makes an
/// optional value of a Node and reports what is wrong with it; `print` gives the value as TOML.
template <typename Value, typename Read, typename Print>
Value ask(const Question& question, Value fallback, Read read, Print print) {
  if (const Node* preset = question.table.preset_value(question.key)) {
    if (auto value = read(*preset)) fallback = *std::move(value);
  }
  Value effective = fallback;
  if (const Node* user = question.table.user_value(question.key)) {
    if (auto value = read(*user)) effective = *std::move(value);
  }
  AskedKey& entry = question.table.entry(question.key);
  if (entry.as == AskedAs::kLooked) {
    entry.as = AskedAs::kValue;
    entry.value = print(effective);
    entry.fallback = print(fallback);
    entry.help = question.help;
  }
  return effective;
}

std::string print_integer(std::int64_t value) { return std::to_string(value); }

std::string print_named(const NamedIntegers& values) {
  std::string out = "{";
  for (const auto& [name, value] : values) {
    out += (out.size() > 1 ? ", " : " ") + literal::key(name) + " = " + std::to_string(value);
  }
  return out + " }";
}

std::string print_named_texts(const NamedTexts& values) {
  std::string out = "{";
  for (const auto& [name, value] : values) {
    out += (out.size() > 1 ? ", " : " ") + literal::key(name) + " = " + literal::text(value);
  }
  return out + " }";
}

}  // namespace

std::string ConfigReader::text(std::string_view key, std::string_view fallback,
                               std::string_view help) const {
  if (table_ == nullptr) return std::string(fallback);
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, std::string(fallback),
      [&](const Node& node) { return values.text(node); }, literal::text);
}

bool ConfigReader::flag(std::string_view key, bool fallback, std::string_view help) const {
  if (table_ == nullptr) return fallback;
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, fallback, [&](const Node& node) { return values.flag(node); },
      literal::flag);
}

std::optional<bool> ConfigReader::flag_or_auto(std::string_view key, std::string_view help) const {
  if (table_ == nullptr) return std::nullopt;
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, std::optional<bool>(),
      [&](const Node& node) { return values.flag_or_auto(node); },
      [](std::optional<bool> value) { return value ? literal::flag(*value) : "\"auto\""; });
}

std::int64_t ConfigReader::number(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max, std::string_view help) const {
  if (table_ == nullptr) return fallback;
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, fallback,
      [&](const Node& node) {
        return values.number(node, {min, max});
      },
      print_integer);
}

std::optional<std::int64_t> ConfigReader::number_or_auto(std::string_view key, std::int64_t min,
                                                         std::int64_t max,
                                                         std::string_view help) const {
  if (table_ == nullptr) return std::nullopt;
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, std::optional<std::int64_t>(),
      [&](const Node& node) {
        return values.number_or_auto(node, {min, max});
      },
      [](std::optional<std::int64_t> value) {
        return value ? std::to_string(*value) : "\"auto\"";
      });
}

double ConfigReader::real(std::string_view key, double fallback, std::string_view help) const {
  if (table_ == nullptr) return fallback;
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, fallback, [&](const Node& node) { return values.real(node); },
      literal::real);
}

Duration ConfigReader::duration(std::string_view key, Duration fallback, Off off,
                                std::string_view help) const {
  if (table_ == nullptr) return fallback;
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, fallback,
      [&](const Node& node) { return values.duration(node, off); },
      [](Duration value) { return literal::text(print_duration(value)); });
}

std::uint64_t ConfigReader::bytes(std::string_view key, std::uint64_t fallback, std::uint64_t min,
                                  std::string_view help) const {
  if (table_ == nullptr) return fallback;
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, fallback,
      [&](const Node& node) { return values.bytes(node, min); },
      [](std::uint64_t value) { return literal::text(print_bytes(value)); });
}

std::string ConfigReader::word_of(std::string_view key, std::string_view fallback,
                                  const std::vector<std::string_view>& words,
                                  std::string_view help) const {
  if (table_ == nullptr) return std::string(fallback);
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, std::string(fallback),
      [&](const Node& node) { return values.word(node, words); }, literal::text);
}

std::string ConfigReader::choice(std::string_view key, std::string_view fallback,
                                 std::initializer_list<std::string_view> words,
                                 std::string_view help) const {
  return word_of(key, fallback, words, help);
}

std::vector<std::string> ConfigReader::texts(std::string_view key,
                                             std::vector<std::string> fallback,
                                             std::string_view help) const {
  return choices(key, std::move(fallback), {}, help);
}

std::vector<std::string> ConfigReader::choices(std::string_view key,
                                               std::vector<std::string> fallback,
                                               std::initializer_list<std::string_view> words,
                                               std::string_view help) const {
  if (table_ == nullptr) return fallback;
  const ValueReader values(key, ledger_->mistakes());
  const Words known(words);
  return ask(
      Question{*table_, key, help}, std::move(fallback),
      [&](const Node& node) { return values.texts(node, known); }, literal::texts);
}

NamedIntegers ConfigReader::integers_by_name(std::string_view key, std::string_view help) const {
  if (table_ == nullptr) return {};
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, NamedIntegers(),
      [&](const Node& node) { return values.integers_by_name(node); }, print_named);
}

NamedTexts ConfigReader::texts_by_name(std::string_view key, std::string_view help) const {
  if (table_ == nullptr) return {};
  const ValueReader values(key, ledger_->mistakes());
  return ask(
      Question{*table_, key, help}, NamedTexts(),
      [&](const Node& node) { return values.texts_by_name(node); }, print_named_texts);
}

ConfigReader ConfigReader::table(std::string_view key) const {
  if (table_ == nullptr) return {};
  return {*ledger_, ledger_->table(*table_, key)};
}

std::vector<ConfigReader> ConfigReader::tables(std::string_view key) const {
  std::vector<ConfigReader> all;
  if (table_ == nullptr) return all;
  for (AskedTable* element : ledger_->tables(*table_, key)) {
    all.push_back(ConfigReader(*ledger_, *element));
  }
  return all;
}

std::vector<std::pair<std::string, ConfigReader>> ConfigReader::tables_by_name(
    std::string_view key) const {
  std::vector<std::pair<std::string, ConfigReader>> all;
  if (table_ == nullptr) return all;
  AskedTable& holder = ledger_->table(*table_, key);
  if (holder.user == nullptr) return all;
  for (const Node& child : holder.user->children) {
    AskedTable& table = ledger_->table(holder, child.key);
    if (child.is_table()) all.emplace_back(child.key, ConfigReader(*ledger_, table));
  }
  return all;
}

bool ConfigReader::has(std::string_view key) const {
  if (table_ == nullptr) return false;
  table_->entry(key);
  return table_->user_value(key) != nullptr || table_->preset_value(key) != nullptr;
}

bool ConfigReader::is_text(std::string_view key) const {
  if (!has(key)) return false;
  const Node* user = table_->user_value(key);
  const Node* value = user != nullptr ? user : table_->preset_value(key);
  return value->kind == NodeKind::kText;
}

void ConfigReader::mistake(std::string_view key, std::string text) const {
  if (ledger_ != nullptr) ledger_->mistakes().add(position(key), std::move(text));
}

void ConfigReader::mistake(std::string_view key, std::size_t index, std::string text) const {
  if (ledger_ != nullptr) ledger_->mistakes().add(position(key, index), std::move(text));
}

void ConfigReader::mistake(std::string text) const {
  if (ledger_ != nullptr) ledger_->mistakes().add(position(), std::move(text));
}

std::string ConfigReader::path() const {
  return table_ == nullptr ? std::string() : path_of(*table_);
}

std::string ConfigReader::name() const {
  return table_ == nullptr || table_->is_element ? std::string() : table_->key;
}

Position ConfigReader::position() const { return table_ == nullptr ? Position{} : table_->where; }

Position ConfigReader::position(std::string_view key) const {
  if (table_ == nullptr) return {};
  const Node* user = table_->user_value(key);
  return user == nullptr ? table_->where : user->position;
}

Position ConfigReader::position(std::string_view key, std::size_t index) const {
  if (table_ == nullptr) return {};
  const Node* user = table_->user_value(key);
  if (user == nullptr || index >= user->children.size()) return position(key);
  return user->children[index].position;
}

}  // namespace limpet
