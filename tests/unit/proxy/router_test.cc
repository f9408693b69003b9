// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/router.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/proxy/snapshot.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

std::vector<RoutePlan> routes(std::initializer_list<std::pair<const char*, const char*>> places) {
  std::vector<RoutePlan> made;
  for (const auto& [host, path] : places) {
    RoutePlan route;
    route.host = host;
    route.path = path;
    route.body = std::string(host) + path;
    made.push_back(std::move(route));
  }
  return made;
}

std::string found(const Router& router, std::string_view authority, std::string_view path) {
  const RoutePlan* route = router.match(authority, path);
  return route == nullptr ? "nothing" : route->body;
}

}  // namespace

TEST_CASE("the longest path of whole segments wins") {
  const auto plan = routes({{"*", "/"}, {"*", "/mcp"}, {"*", "/mcp/tools"}});
  const Router router(plan);
  CHECK(found(router, "a", "/") == "*/");
  CHECK(found(router, "a", "/mcp") == "*/mcp");
  CHECK(found(router, "a", "/mcp/") == "*/mcp");
  CHECK(found(router, "a", "/mcpx") == "*/");
  CHECK(found(router, "a", "/mcp/tools/list") == "*/mcp/tools");
  CHECK(found(router, "a", "/mcp/toolsx") == "*/mcp");
  CHECK(found(router, "a", "*") == "*/");
}

TEST_CASE("the most specific host wins before the path is looked at") {
  const auto plan = routes({{"*", "/long/path"},
                            {"app.example.org", "/"},
                            {"*.example.org", "/long"},
                            {"*.b.example.org", "/"}});
  const Router router(plan);
  CHECK(found(router, "app.example.org", "/long/path") == "app.example.org/");
  CHECK(found(router, "APP.Example.ORG:8080", "/") == "app.example.org/");
  CHECK(found(router, "app.example.org.", "/") == "app.example.org/");
  CHECK(found(router, "x.example.org", "/long/path") == "*.example.org/long");
  CHECK(found(router, "a.b.example.org", "/long") == "*.b.example.org/");
  CHECK(found(router, "example.org", "/long/path") == "*/long/path");
  CHECK(found(router, "x.example.org", "/short") == "nothing");
}

TEST_CASE("an address in brackets keeps its colons") {
  const auto plan = routes({{"[::1]", "/"}});
  const Router router(plan);
  CHECK(found(router, "[::1]:8080", "/") == "[::1]/");
  CHECK(found(router, "[::2]", "/") == "nothing");
}

TEST_CASE("a host that is longer than any name matches nothing but the general routes") {
  const auto plan = routes({{"a.example.org", "/"}, {"*", "/"}});
  const Router router(plan);
  CHECK(found(router, std::string(5000, 'a'), "/") == "*/");
}
