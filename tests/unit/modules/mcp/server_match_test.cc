// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/server_match.h"

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

TEST_CASE("more capabilities do, fewer do not") {
  CHECK(covers(R"({"tools":{"listChanged":true},"x":{}})", R"({"tools":{"listChanged":true}})"));
  CHECK(covers(R"({ "b":{}, "a" : {"k":"v"} })", R"({"a":{"k":"\u0076"},"b":{}})"));
  CHECK(covers("{}", R"({"tools":false,"x":null})"));
  CHECK(covers(R"({"tools":{}})", R"({"tools":{"listChanged":false}})"));
  CHECK_FALSE(covers("{}", R"({"tools":{}})"));
  CHECK_FALSE(covers(R"({"tools":{}})", R"({"tools":{"listChanged":true}})"));
  CHECK_FALSE(covers(R"({"tools":[]})", R"({"tools":{}})"));
  CHECK_FALSE(covers("nonsense", "{}"));
}

TEST_CASE("the policy says which differences keep a session from moving") {
  const ServerFacts before{"2025-11-25", R"({"tools":{}})", "s", "1"};
  CHECK(difference(before, before, CarryPolicy::kCompatible).empty());
  CHECK_FALSE(difference(before, before, CarryPolicy::kOff).empty());
  ServerFacts after = before;
  after.version = "2";
  CHECK(difference(before, after, CarryPolicy::kCompatible).find("version") != std::string::npos);
  CHECK(difference(before, after, CarryPolicy::kAlways).empty());
  after = before;
  after.name = "t\n";
  const std::string text = difference(before, after, CarryPolicy::kCompatible);
  CHECK_FALSE(text.empty());
  CHECK(text.find('\n') == std::string::npos);
  after = before;
  after.capabilities = "{}";
  CHECK_FALSE(difference(before, after, CarryPolicy::kCompatible).empty());
  after = before;
  after.protocol_version = "2025-06-18";
  CHECK_FALSE(difference(before, after, CarryPolicy::kAlways).empty());
}

}  // namespace
}  // namespace limpet::mcp
