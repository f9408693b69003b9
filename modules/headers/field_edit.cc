// SPDX-License-Identifier: Apache-2.0
#include "modules/headers/field_edit.h"

#include <algorithm>
#include <optional>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"
#include "daemon/module/own_fields.h"

namespace limpet {
namespace {

bool is_field_value(std::string_view value) {
  // RFC 9110 section 5.5: no controls but the tab, no space at either end.
  const bool has_control =
      std::any_of(value.begin(), value.end(), [](char c) { return chars::is(c, chars::kControl); });
  return !has_control && text::trim(value) == value;
}

}  // namespace

std::string fault_of_field_name(std::string_view name) {
  if (!chars::is_token(name)) {
    return "\"" + text::escaped(name) + "\" is not a field name: expected letters, digits and -";
  }
  const std::string_view refusal = refusal_of_field(text::to_lower(name));
  if (refusal.empty()) return {};
  return "\"" + std::string(name) + "\" cannot be changed: " + std::string(refusal);
}

FieldEdit FieldEdit::read(const ConfigReader& reader) {
  FieldEdit edit;
  const auto removed = reader.texts("remove", {}, "names of fields to take out");
  for (std::size_t i = 0; i < removed.size(); ++i) {
    const std::string name = text::to_lower(removed[i]);
    if (const std::string fault = fault_of_field_name(removed[i]); !fault.empty()) {
      reader.mistake("remove", i, fault);
    } else {
      edit.removed_.push_back({name, known_name(name)});
    }
  }
  const auto read_lines = [&](std::string_view key, std::string_view help, auto take) {
    for (auto& [name, value] : reader.texts_by_name(key, help)) {
      const std::string fault = fault_of_field_name(name);
      if (!fault.empty()) {
        reader.mistake(key, fault);
      } else if (!is_field_value(value)) {
        reader.mistake(key, "the value of \"" + name +
                                "\" cannot stand in a field: no line ends or other controls, no "
                                "space at either end");
      } else {
        const std::string lower = text::to_lower(name);
        take(Line{{lower, known_name(lower)}, value});
      }
    }
  };
  read_lines("set", "fields that replace those of their name", [&](Line line) {
    edit.removed_.push_back(line.name);
    edit.added_.push_back(std::move(line));
  });
  read_lines("add", "fields added to those of their name",
             [&](Line line) { edit.added_.push_back(std::move(line)); });
  return edit;
}

void FieldEdit::apply(HeaderList& fields) const {
  for (const Name& name : removed_) {
    if (name.id == FieldName::kOther) {
      fields.remove(name.text);
    } else {
      fields.remove(name.id);
    }
  }
  for (const Line& line : added_)
    fields.add(line.name.id, line.name.text, line.value);
}

}  // namespace limpet
