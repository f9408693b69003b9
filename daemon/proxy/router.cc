// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/router.h"

#include <array>

#include "daemon/base/text.h"
#include "daemon/proxy/snapshot.h"

namespace limpet {

namespace {

constexpr std::size_t kHostBytesMax = 255;

// The host without its port, in lower case, in `place`; empty where it is longer than any host
// name.
std::string_view host_of(std::string_view authority, std::array<char, kHostBytesMax>& place) {
  if (!authority.empty() && authority.front() == '[') {
    authority = authority.substr(0, authority.find(']') + 1);
  } else {
    authority = authority.substr(0, authority.find(':'));
  }
  while (!authority.empty() && authority.back() == '.')
    authority.remove_suffix(1);
  if (authority.size() > place.size()) return {};
  for (std::size_t i = 0; i < authority.size(); ++i)
    place[i] = text::lower(authority[i]);
  return {place.data(), authority.size()};
}

}  // namespace

Router::Router(const std::vector<RoutePlan>& routes) {
  bool is_root_only = true;
  for (const RoutePlan& route : routes) {
    const std::string_view host = route.host;
    if (route.path != "/") is_root_only = false;
    if (host == "*") {
      any_host_.emplace(route.path, &route);
      continue;
    }
    is_any_host_only_ = false;
    if (host.starts_with("*.")) {
      wildcards_[host.substr(2)].emplace(route.path, &route);
    } else {
      hosts_[host].emplace(route.path, &route);
    }
  }
  is_only_ = is_any_host_only_ && is_root_only;
  if (is_only_ && !any_host_.empty()) only_ = any_host_.begin()->second;
}

const RoutePlan* Router::longest(const Paths& paths, std::string_view path) {
  // "/a/b/c" is asked for as itself, then "/a/b", "/a" and "/".
  while (path.size() > 1) {
    if (path.back() == '/') path.remove_suffix(1);
    if (const auto found = paths.find(path); found != paths.end()) return found->second;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos || slash == 0) break;
    path = path.substr(0, slash);
  }
  const auto root = paths.find("/");
  return root == paths.end() ? nullptr : root->second;
}

const RoutePlan* Router::search(std::string_view authority, std::string_view path) const {
  if (is_any_host_only_) return longest(any_host_, path);
  std::array<char, kHostBytesMax> place;
  std::string_view host = host_of(authority, place);
  if (const auto found = hosts_.find(host); found != hosts_.end()) {
    if (const RoutePlan* route = longest(found->second, path)) return route;
  }
  // Nearest wildcard first: "*.b.example.org" before "*.example.org"; it stands for one label or
  // more.
  for (std::size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.')) {
    host = host.substr(dot + 1);
    if (const auto found = wildcards_.find(host); found != wildcards_.end()) {
      if (const RoutePlan* route = longest(found->second, path)) return route;
    }
  }
  return longest(any_host_, path);
}

}  // namespace limpet
