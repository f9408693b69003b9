// SPDX-License-Identifier: Apache-2.0
#pragma once
// FieldEdit: what to do to one list of fields: remove these, set those, add those. Read from { set
// = {…}, add = {…}, remove = […] }.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/reader.h"
#include "daemon/http/headers.h"

namespace limpet {

/// What is wrong with a name as that of a field to change; "" where nothing is.
[[nodiscard]] std::string fault_of_field_name(std::string_view name);

/// One edit.
/// Lifetime: outlives every head that it was applied to: the heads borrow its texts.
class FieldEdit {
 public:
  /// Reads the table; mistakes are reported through the reader.
  [[nodiscard]] static FieldEdit read(const ConfigReader& reader);

  [[nodiscard]] bool is_empty() const noexcept { return removed_.empty() && added_.empty(); }
  void apply(HeaderList& fields) const;

 private:
  struct Name {
    std::string text;
    FieldName id;
  };
  struct Line {
    Name name;
    std::string value;
  };
  std::vector<Name> removed_;  ///< of `remove` and `set`
  std::vector<Line> added_;    ///< of `set` and `add`
};

}  // namespace limpet
