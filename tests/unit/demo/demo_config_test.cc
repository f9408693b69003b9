// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/demo_config.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet::demo;  // NOLINT(google-build-using-namespace)

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

DemoPlan plan() {
  DemoPlan made;
  made.state_dir = "/run/user/1/limpet-demo";
  made.control_socket = made.state_dir + "/control.sock";
  return made;
}

}  // namespace

TEST_CASE("the demo's configuration names every place and every replica") {
  const std::string toml = demo_config(plan(), {{"a", 3001, 11}, {"b", 3002, 12}});
  for (const char* part :
       {"bind = [\"127.0.0.1:8080\"]", "bind = \"127.0.0.1:9180\"",
        "socket = \"/run/user/1/limpet-demo/control.sock\"", "[pool.web]", "[pool.mcp]",
        "[[pool.mcp.replica]]\nid = \"b\"\naddress = \"127.0.0.1:3002\""}) {
    CHECK_MESSAGE(has(toml, part), part);
  }
}

TEST_CASE("the banner says what is up and what to try") {
  const std::string text = demo_banner(plan(), {{"a", 3001, 11}});
  for (const char* part :
       {"http://127.0.0.1:8080", "1 sample replica:", "process 11", "/counter", "/clock", "/mcp",
        "9180/metrics", "limpetctl --socket /run/user/1/limpet-demo/control.sock"}) {
    CHECK_MESSAGE(has(text, part), part);
  }
}

TEST_CASE("a port in use is named together with the way out") {
  CHECK(port_in_use_text("127.0.0.1:8080", "LIMPET_PORT") ==
        "127.0.0.1:8080 is in use by another program. Choose another port: LIMPET_PORT=8081 "
        "limpetd --demo");
}

TEST_CASE("the internal option of a replica is an id and a descriptor") {
  const auto option = parse_demo_replica_option("a:3");
  REQUIRE(option);
  CHECK(option->id == "a");
  CHECK(option->listening_fd == 3);
  for (const char* text : {"", "a", ":3", "a:", "a:x", "a:-1", "a:99999999"}) {
    CHECK_FALSE_MESSAGE(parse_demo_replica_option(text).has_value(), text);
  }
}

TEST_CASE("the number of replicas is one to twenty-six") {
  CHECK_FALSE(start_demo_replicas(0).has_value());
  CHECK_FALSE(start_demo_replicas(27).has_value());
}
