// SPDX-License-Identifier: Apache-2.0
#pragma once
// Router: host and path to route. The most specific host wins, then the longest path; a path is a
// prefix of whole segments. Built with a snapshot, asked by every worker.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace limpet {

struct RoutePlan;

/// Finds routes.
/// Borrows: the routes. Thread: immutable after building; any.
class Router {
 public:
  explicit Router(const std::vector<RoutePlan>& routes);

  /// The route for a request, or null. `authority` may carry a port and any case.
  /// Cost: one look-up a label of the host and a segment of the path, whatever the number of
  /// routes.
  [[nodiscard]] const RoutePlan* match(std::string_view authority, std::string_view path) const {
    return is_only_ ? only_ : search(authority, path);
  }

 private:
  using Paths = std::unordered_map<std::string_view, const RoutePlan*>;
  [[nodiscard]] const RoutePlan* search(std::string_view authority, std::string_view path) const;
  [[nodiscard]] static const RoutePlan* longest(const Paths& paths, std::string_view path);

  std::unordered_map<std::string_view, Paths> hosts_;      ///< "app.example.org"
  std::unordered_map<std::string_view, Paths> wildcards_;  ///< "example.org" of "*.example.org"
  Paths any_host_;
  bool is_any_host_only_ = true;
  bool is_only_ = false;  ///< one route for everything, or none: the usual case
  const RoutePlan* only_ = nullptr;
};

}  // namespace limpet
