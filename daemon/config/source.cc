// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/source.h"

#include <utility>

namespace limpet {

std::uint32_t Sources::add(std::string name, std::string text) {
  Source source{std::move(name), std::move(text), {0}};
  for (std::size_t i = 0; i < source.text.size(); ++i) {
    if (source.text[i] == '\n') source.line_starts.push_back(i + 1);
  }
  sources_.push_back(std::move(source));
  return static_cast<std::uint32_t>(sources_.size() - 1);
}

const std::string& Sources::name(std::uint32_t file) const {
  static const std::string kNowhere = "configuration";
  return file < sources_.size() ? sources_[file].name : kNowhere;
}

std::string_view Sources::text(std::uint32_t file) const {
  return file < sources_.size() ? std::string_view(sources_[file].text) : std::string_view{};
}

std::string_view Sources::line(std::uint32_t file, std::uint32_t line) const {
  if (file >= sources_.size()) return {};
  const Source& source = sources_[file];
  if (line == 0 || line > source.line_starts.size()) return {};
  std::string_view rest = std::string_view(source.text).substr(source.line_starts[line - 1]);
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return rest;
}

std::string Sources::print(Position position) const {
  std::string place = name(position.file);
  if (position.line != 0) {
    place += ':' + std::to_string(position.line) + ':' + std::to_string(position.column);
  }
  return place;
}

}  // namespace limpet
