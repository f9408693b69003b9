// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_names.h"

#include <algorithm>
#include <array>
#include <map>

#include "daemon/base/text.h"

namespace limpet {
namespace {

/// A wildcard is one whole label at the left, with at least two behind it.
bool is_servable(std::string_view name) {
  const std::size_t star = name.rfind('*');
  if (star == std::string_view::npos) return !name.empty();
  return star == 0 && name.size() > 2 && name[1] == '.' &&
         name.find('.', 2) != std::string_view::npos;
}

}  // namespace

TlsNames::TlsNames(std::span<const Entry> entries) {
  std::map<std::string, std::vector<std::size_t>> by_name;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (const std::string& name : entries[i].names) {
      if (!is_servable(name)) continue;
      std::vector<std::size_t>& served = by_name[name];
      const auto same = std::find_if(served.begin(), served.end(), [&](std::size_t other) {
        return entries[other].key_kind == entries[i].key_kind;
      });
      if (same == served.end()) {
        served.push_back(i);
      } else if (*same != i) {
        shadowed_.push_back({i, *same, name});
      }
    }
  }
  if (entries.empty()) return;
  // The first entry stands in front, whatever else has its name.
  const auto first = entries[0].names.empty() ? by_name.end() : by_name.find(entries[0].names[0]);
  sets_.push_back(first == by_name.end() ? std::vector<std::size_t>{0} : first->second);
  for (const auto& [name, served] : by_name) {
    // "*.example.org" is kept as ".example.org", which is what a name leaves without its first
    // label.
    places_.emplace(name.front() == '*' ? name.substr(1) : name, set_of(served));
  }
}

std::size_t TlsNames::set_of(const std::vector<std::size_t>& entries) {
  const auto at = std::find(sets_.begin(), sets_.end(), entries);
  if (at != sets_.end()) return static_cast<std::size_t>(at - sets_.begin());
  sets_.push_back(entries);
  return sets_.size() - 1;
}

std::size_t TlsNames::find(std::string_view name) const noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kNameBytesMax || name.front() == '.') return 0;
  std::array<char, kNameBytesMax> lower;
  std::transform(name.begin(), name.end(), lower.begin(), text::lower);
  const std::string_view plain(lower.data(), name.size());
  auto place = places_.find(plain);
  if (place == places_.end()) {
    const std::size_t dot = plain.find('.');
    if (dot == std::string_view::npos) return 0;
    place = places_.find(plain.substr(dot));
  }
  return place == places_.end() ? 0 : place->second;
}

}  // namespace limpet
