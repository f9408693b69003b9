// SPDX-License-Identifier: Apache-2.0
#pragma once
// Mistakes: everything that is wrong with a configuration, collected so that one run shows all of
// it. It does not find mistakes; parse.cc, reader.cc, check.cc, the snapshot builder and the
// modules do.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config/source.h"

namespace limpet {

/// One mistake of the operator, with the line it stands in.
struct Mistake {
  Position position;
  std::string file;
  std::uint32_t line = 0;    ///< 0: the file as a whole
  std::uint32_t column = 0;  ///< in code points, from 1
  std::string text;          ///< what is wrong and what was expected
  std::string source_line;   ///< cut to the neighbourhood of the column where it is very long
  std::uint32_t caret = 0;   ///< the column within source_line, from 1; 0: no caret
};

/// The mistakes of one configuration. The same mistake at the same place is kept once.
/// Borrows: the Sources it quotes from.
class Mistakes {
 public:
  explicit Mistakes(const Sources& sources) : sources_(&sources) {}

  /// Nothing is added at a place that was given up.
  void add(Position position, std::string text);
  /// The value there is not what was meant, which is said already: what else is found out about it
  /// would only follow from that.
  void give_up(Position position);
  /// Whether something is said of the value there; never of the file as a whole.
  [[nodiscard]] bool has_at(Position position) const;

  /// "limpet.toml:12:3", for mistakes that name a second place.
  [[nodiscard]] std::string print(Position position) const { return sources_->print(position); }
  [[nodiscard]] bool is_empty() const noexcept { return mistakes_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return mistakes_.size(); }
  /// All of them, by file, line and column.
  [[nodiscard]] std::vector<Mistake> sorted() const;

  /// For people: `limpet.toml:12:3: error: unknown key "adress", did you mean "address"?`, the line
  /// and a caret for each, sorted; ends with a newline, empty when there are none.
  [[nodiscard]] std::string render() const;
  /// For programs: an array of objects with file, line, column, text, source.
  [[nodiscard]] std::string render_json() const;

 private:
  const Sources* sources_;
  std::vector<Mistake> mistakes_;
  std::set<std::pair<Position, std::string>> seen_;
  std::set<Position> given_up_;
};

/// `, did you mean "near"?`, or nothing where no candidate is near to `word`.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string_view>& candidates);

}  // namespace limpet
