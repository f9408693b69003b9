// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/announcement.h"

#include <doctest/doctest.h>

#include "modules/mcp/json.h"
#include "modules/mcp/sse_scanner.h"

using namespace limpet::mcp;

namespace {

struct Methods final : SseSink {
  void on_event(const SseEvent& event) override {
    std::vector<JsonMember> members;
    REQUIRE(read_members(event.data, members));
    all += text_of(members, "method") + " ";
  }
  std::string all;
};

std::string methods_of(std::string_view events) {
  Methods methods;
  SseScanner scanner;
  scanner.feed(events, &methods);
  CHECK(scanner.is_between_events());
  return methods.all;
}

}  // namespace

TEST_CASE("announcement: a server that declared nothing says nothing") {
  CHECK(announcement("{}").empty());
  CHECK(announcement("not json").empty());
  CHECK(announcement(R"({"tools":{}})").empty());
  CHECK(announcement(R"({"tools":{"listChanged":false}})").empty());
}

TEST_CASE("announcement: the warning needs logging, each list its own capability") {
  CHECK(methods_of(announcement(R"({"logging":{}})")) == "notifications/message ");
  CHECK(methods_of(
            announcement(R"({"tools":{"listChanged":true},"resources":{"listChanged":true}})")) ==
        "notifications/tools/list_changed notifications/resources/list_changed ");
}
