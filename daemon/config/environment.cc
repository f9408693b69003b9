// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/environment.h"

#include <algorithm>
#include <cstdlib>

#include "daemon/base/text.h"

namespace limpet {
namespace {

bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return text::is_digit(c) || c == '_' || (text::lower(c) >= 'a' && text::lower(c) <= 'z');
  };
  return !name.empty() && !text::is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), fits);
}

/// What stands between the braces, NAME or NAME:-default, as its value.
Result<std::string> value_of(std::string_view inside) {
  const std::size_t mark = inside.find(":-");
  const std::string name(inside.substr(0, mark));
  if (!is_name(name)) {
    return Error{"\"${" + text::escaped(inside) +
                 "}\" is not ${NAME} or ${NAME:-default}; write $$ for a dollar sign"};
  }
  const char* value = std::getenv(name.c_str());
  if (mark == std::string_view::npos) {
    if (value == nullptr) {
      return Error{"environment variable " + name + " is not set; ${" + name +
                   ":-default} gives a default"};
    }
    return std::string(value);
  }
  if (value == nullptr || *value == '\0') return std::string(inside.substr(mark + 2));
  return std::string(value);
}

}  // namespace

Result<std::string> expand_environment(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t dollar = text.find('$', at);
    out += text.substr(at, dollar - at);
    if (dollar == std::string_view::npos) break;
    const char next = dollar + 1 < text.size() ? text[dollar + 1] : '\0';
    if (next != '{') {
      out += '$';
      at = dollar + (next == '$' ? 2 : 1);
      continue;
    }
    const std::size_t close = text.find('}', dollar);
    if (close == std::string_view::npos) {
      return Error{"\"${\" without \"}\"; write $$ for a dollar sign"};
    }
    Result<std::string> value = value_of(text.substr(dollar + 2, close - dollar - 2));
    if (!value) return value;
    out += *value;
    at = close + 1;
  }
  return out;
}

std::string escape_dollars(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '$') out += '$';
    out += c;
  }
  return out;
}

}  // namespace limpet
