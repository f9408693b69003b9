// SPDX-License-Identifier: Apache-2.0
#pragma once
// Values: from a Node to a value of the wanted type, or a mistake that says what was expected and
// what was found. The strict half of ConfigReader; it knows neither tables nor defaults.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/config/mistakes.h"
#include "daemon/config/node.h"
#include "daemon/config/reader.h"

namespace limpet {

using NamedIntegers = std::vector<std::pair<std::string, std::int64_t>>;
using NamedTexts = std::vector<std::pair<std::string, std::string>>;
using Words = std::vector<std::string_view>;

/// Both ends belong to it.
struct Range {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

/// Reads values of one key.
/// Borrows: the key and the mistakes.
/// Errors: every function gives nothing after adding a mistake, and the value's place is given up.
/// In lists and named values one that is wrong leaves "" or 1, so that the others keep their
/// places and are looked at too.
class ValueReader {
 public:
  ValueReader(std::string_view key, Mistakes& mistakes) : key_(key), mistakes_(&mistakes) {}

  [[nodiscard]] std::optional<std::string> text(const Node& node) const;
  [[nodiscard]] std::optional<bool> flag(const Node& node) const;
  [[nodiscard]] std::optional<std::int64_t> number(const Node& node, Range range) const;
  [[nodiscard]] std::optional<double> real(const Node& node) const;
  [[nodiscard]] std::optional<Duration> duration(const Node& node, Off off) const;
  [[nodiscard]] std::optional<std::uint64_t> bytes(const Node& node, std::uint64_t min) const;
  [[nodiscard]] std::optional<std::string> word(const Node& node, const Words& words) const;
  /// A list of texts; with `words`, each one of them.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const Node& node,
                                                              const Words& words) const;
  [[nodiscard]] std::optional<NamedIntegers> integers_by_name(const Node& node) const;
  [[nodiscard]] std::optional<NamedTexts> texts_by_name(const Node& node) const;
  /// "auto" is an inner nothing; other values are read by the functions above.
  [[nodiscard]] std::optional<std::optional<bool>> flag_or_auto(const Node& node) const;
  [[nodiscard]] std::optional<std::optional<std::int64_t>> number_or_auto(const Node& node,
                                                                          Range range) const;

 private:
  void expected(std::string_view what, const Node& found) const;

  std::string_view key_;
  Mistakes* mistakes_;
};

}  // namespace limpet
