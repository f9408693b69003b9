// SPDX-License-Identifier: Apache-2.0
#include "daemon/replica_list.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;

namespace {

ReplicaList parse(std::string_view text) { return parse_replica_list(text, "replicas", {}); }

bool mentions(const ReplicaList& list, std::string_view words) {
  return list.mistakes.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("replica list: one a line, with an id and settings or an address alone") {
  const ReplicaList list = parse(
      "# the web replicas\n"
      "a 10.0.0.1:80 weight=3 revision=v2 # the first\n"
      "\n"
      "  b\t[::1]:81 backup drain\r\n"
      "10.0.0.3:82 weight=0\n"
      "unix:/run/x.sock\n"
      "10.0.0.5:80 down");
  CHECK(list.mistakes == "");
  REQUIRE(list.replicas.size() == 5);
  CHECK(list.replicas[0].id == "a");
  CHECK(list.replicas[0].address.print() == "10.0.0.1:80");
  CHECK(list.replicas[0].weight == 3);
  CHECK(list.replicas[0].revision == "v2");
  CHECK(list.replicas[1].address.print() == "[::1]:81");
  CHECK(list.replicas[1].backup);
  CHECK(list.replicas[1].state == ReplicaState::kDrain);
  CHECK(list.replicas[2].id == "10.0.0.3:82");
  CHECK(list.replicas[2].weight == 0);
  CHECK(list.replicas[3].address.is_unix());
  CHECK(list.replicas[4].state == ReplicaState::kDown);
}

TEST_CASE("replica list: every mistake is shown with its place") {
  const ReplicaList list = parse(
      "a 10.0.0.1:80 wieght=3\n"
      "b nowhere\n"
      "c 10.0.0.3:80 weight=x\n"
      "a 10.0.0.4:80\n"
      "d 10.0.0.3:80\n"
      "10.0.0.9\n"
      "e%& 10.0.0.6:80\n");
  CHECK(mentions(list, "replicas:1:15: error: unknown setting \"wieght=3\""));
  CHECK(mentions(list, "did you mean \"weight\"?"));
  CHECK(mentions(list, "replicas:2:3: error: expected `ID ADDRESS`"));
  CHECK(mentions(list, "replicas:3:15: error: weight"));
  CHECK(mentions(list, "replicas:4:1: error: a replica with id \"a\" is already at replicas:1:1"));
  CHECK(mentions(list, "replicas:5:3: error: a replica with address"));
  CHECK(mentions(list, "replicas:6:1: error: "));
  CHECK(mentions(list, "replicas:7:1: error: id: expected"));
}

TEST_CASE("replica list: TOML tables, whose unknown keys are mistakes") {
  const ReplicaList good = parse(
      "[[replica]]\nid = \"a\"\naddress = \"10.0.0.1:80\"\nweight = 2\nstate = \"drain\"\n"
      "[[replica]]\naddress = \"10.0.0.2:80\"\n");
  CHECK(good.mistakes == "");
  REQUIRE(good.replicas.size() == 2);
  CHECK(good.replicas[0].weight == 2);
  CHECK(good.replicas[0].state == ReplicaState::kDrain);
  CHECK(good.replicas[1].id == "10.0.0.2:80");
  const ReplicaList bad =
      parse("[[replica]]\nadress = \"10.0.0.1:80\"\n[[replica]]\naddress = \"10.0.0.1\"\n");
  CHECK(mentions(bad, "did you mean \"address\"?"));
  CHECK(mentions(bad, "replicas:4:"));
}

TEST_CASE("replica list: a file that names nobody is refused") {
  CHECK(mentions(parse(""), "names no replica"));
  CHECK(mentions(parse("# nothing\n\n"), "names no replica"));
}
