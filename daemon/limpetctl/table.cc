// SPDX-License-Identifier: Apache-2.0
#include "daemon/limpetctl/table.h"

#include <algorithm>
#include <utility>

namespace limpet::ctl {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

Table::Table(std::vector<std::string> headings) {
  for (std::string& heading : headings) {
    const bool is_number = !heading.empty() && heading.front() == '>';
    is_number_.push_back(is_number);
    if (is_number) heading.erase(0, 1);
  }
  rows_.push_back(std::move(headings));
}

std::string Table::print() const {
  std::vector<std::size_t> widths(is_number_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      const std::string gap(widths[i] - width_of(row[i]), ' ');
      if (i > 0) line += "  ";
      line += is_number_[i] ? gap + row[i] : row[i] + gap;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

}  // namespace limpet::ctl
