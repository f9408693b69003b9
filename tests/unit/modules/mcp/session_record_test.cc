// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_record.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

TEST_CASE("a birth is made of initialize and its result") {
  const std::string body =
      R"({"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25",)"
      R"("capabilities":{},"clientInfo":{"name":"c","version":"2"}}})";
  const RpcMessage request = read_message(body);
  const auto birth = make_birth(
      request, body,
      R"({"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}})",
      {3, 4});
  REQUIRE(birth != nullptr);
  CHECK(birth->initialize == body);
  CHECK(birth->request_id == "\"i\"");
  CHECK(birth->by.principal == 3);
  CHECK(birth->client_name == "c");
  CHECK(birth->server.protocol_version == "2025-06-18");
  CHECK(birth->server.capabilities == R"({"tools":{}})");
  CHECK(birth->server.name == "s");
  CHECK(make_birth(request, body, R"({"capabilities":{}})", {}) == nullptr);
  CHECK(make_birth(read_message(R"({"jsonrpc":"2.0","id":1,"method":"ping"})"), body, "{}", {}) ==
        nullptr);
}

TEST_CASE("a replica that has restarted is another one") {
  const auto at = [](int s) { return WallSeconds(std::chrono::seconds(s)); };
  const SessionHome silent{"a", "o", at(100), 0, 1};
  CHECK(is_same_life(silent, at(99), 0));
  CHECK_FALSE(is_same_life(silent, at(100), 0));
  CHECK(is_same_life(silent, at(50), 7));
  const SessionHome reporting{"a", "o", at(100), 7, 1};
  CHECK(is_same_life(reporting, at(200), 7));
  CHECK_FALSE(is_same_life(reporting, at(50), 8));
}

TEST_CASE("a session is carried over for whoever opened it") {
  SessionBirth birth;
  birth.by.principal = 7;
  CHECK(may_carry_for(birth, {7, 1}, Denial::kReplicaDenies));
  CHECK_FALSE(may_carry_for(birth, {8, 1}, Denial::kReplicaGone));
  CHECK_FALSE(may_carry_for(birth, {0, 1}, Denial::kReplicaGone));

  SessionBirth opaque;
  opaque.by.credential = 5;
  CHECK(may_carry_for(opaque, {0, 5}, Denial::kReplicaDenies));
  CHECK(may_carry_for(opaque, {0, 6}, Denial::kReplicaGone));
  CHECK_FALSE(may_carry_for(opaque, {0, 6}, Denial::kReplicaDenies));
  CHECK_FALSE(may_carry_for(opaque, {0, 0}, Denial::kReplicaGone));

  const SessionBirth open;
  CHECK(may_carry_for(open, {0, 0}, Denial::kReplicaDenies));
  CHECK_FALSE(may_carry_for(open, {9, 0}, Denial::kReplicaGone));
}

}  // namespace
}  // namespace limpet::mcp
