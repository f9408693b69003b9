// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sources: the files of one configuration and where in them something stands. It knows lines and
// columns, not TOML; node.h and mistakes.h point into it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace limpet {

/// A place in the configuration. Line 0 means the file as a whole.
/// Units: lines and columns count from 1, columns in code points.
struct Position {
  std::uint32_t file = 0;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend auto operator<=>(const Position&, const Position&) = default;
};

/// The names and texts of all files read for one configuration, in the order read.
/// Owns: the texts.
class Sources {
 public:
  /// Takes a file in; returns its index, which Position::file names.
  std::uint32_t add(std::string name, std::string text);

  [[nodiscard]] const std::string& name(std::uint32_t file) const;
  [[nodiscard]] std::string_view text(std::uint32_t file) const;
  /// One line without its end; empty where there is none.
  [[nodiscard]] std::string_view line(std::uint32_t file, std::uint32_t line) const;
  /// "limpet.toml:12:3", or the name alone where the position has no line.
  [[nodiscard]] std::string print(Position position) const;

 private:
  struct Source {
    std::string name;
    std::string text;
    std::vector<std::size_t> line_starts;
  };
  std::vector<Source> sources_;
};

}  // namespace limpet
