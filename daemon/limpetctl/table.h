// SPDX-License-Identifier: Apache-2.0
#pragma once
// Table: rows of text in aligned columns, for people.

#include <cstddef>
#include <string>
#include <vector>

namespace limpet::ctl {

/// Rows under headings.
class Table {
 public:
  /// Headings; one that begins with ">" stands over a column of numbers, aligned to the right.
  explicit Table(std::vector<std::string> headings);

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// The headings and the rows, each line ending in a newline, without spaces at its end.
  [[nodiscard]] std::string print() const;

 private:
  std::vector<bool> is_number_;
  std::vector<std::vector<std::string>> rows_;  ///< the headings first
};

/// How many columns of a terminal `text` takes: its code points.
[[nodiscard]] std::size_t width_of(const std::string& text);

}  // namespace limpet::ctl
