// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/limpetctl/client.h"
#include "daemon/limpetctl/command.h"
#include "daemon/limpetctl/render.h"
#include "daemon/limpetctl/table.h"

using namespace limpet::ctl;

namespace {

ParsedCommand parse(std::vector<const char*> words) {
  words.insert(words.begin(), "limpetctl");
  return parse_command(static_cast<int>(words.size()), words.data());
}

std::string complaint_about(std::vector<const char*> words) {
  std::ostringstream said;
  std::streambuf* const before = std::cerr.rdbuf(said.rdbuf());
  CHECK(parse(std::move(words)).exit_status == 2);
  std::cerr.rdbuf(before);
  return said.str().substr(0, said.str().find('\n'));
}

}  // namespace

TEST_CASE("limpetctl: verbs and their words") {
  const auto drain = parse({"replica", "drain", "a", "--pool", "web", "--wait", "2m", "--json"});
  REQUIRE(drain.command);
  CHECK(drain.command->verb == Verb::kReplica);
  CHECK(drain.command->state == "drain");
  CHECK(drain.command->id == "a");
  CHECK(drain.command->pool == "web");
  CHECK(drain.command->wait == std::chrono::minutes(2));
  CHECK(drain.command->is_json);
  const auto show = parse({"--socket", "/x", "show", "config", "pool.web"});
  REQUIRE(show.command);
  CHECK(show.command->verb == Verb::kShowConfig);
  CHECK(show.command->path == "pool.web");
  CHECK(show.command->socket == "/x");
  const auto affinity = parse({"affinity", "web", "none"});
  REQUIRE(affinity.command);
  CHECK(affinity.command->pool == "web");
  CHECK(affinity.command->state == "none");
}

TEST_CASE("limpetctl: wrong usage is 2") {
  CHECK(parse({}).exit_status == 2);
  CHECK(parse({"replica", "sleep", "a"}).exit_status == 2);
  CHECK(parse({"explain"}).exit_status == 2);
  CHECK(parse({"explain", "--session", "x", "--cookie", "y"}).exit_status == 2);
  CHECK(parse({"replica", "drain", "a", "--wait", "soon"}).exit_status == 2);
}

TEST_CASE("limpetctl: wrong usage is told in the words of the manual") {
  CHECK(complaint_about({}) == "limpetctl: expected a verb, such as status");
  CHECK(complaint_about({"statsu"}) == "limpetctl: unknown verb \"statsu\"");
  CHECK(complaint_about({"show", "confg"}) == "limpetctl: unknown verb \"confg\"");
  CHECK(complaint_about({"reload", "now"}) == "limpetctl: unexpected argument \"now\"");
  CHECK(complaint_about({"explain", "--foo", "x"}) == "limpetctl: unknown option \"--foo\"");
  CHECK(complaint_about({"replica", "drain"}) == "limpetctl: ID is required");
}

TEST_CASE("limpetctl: what is to be explained is taken apart") {
  const auto named = parse({"explain", "--cookie", "limpet=ab=="});
  REQUIRE(named.command);
  CHECK(named.command->kind == "cookie");
  CHECK(named.command->name == "limpet");
  CHECK(named.command->value == "ab==");
  const auto bare = parse({"explain", "--cookie", "ab=="});
  REQUIRE(bare.command);
  CHECK(bare.command->name == "");
  CHECK(bare.command->value == "ab==");
  const auto header = parse({"explain", "--header", "X-User=7"});
  REQUIRE(header.command);
  CHECK(header.command->kind == "header");
  CHECK(header.command->name == "X-User");
  CHECK(question_body(*header.command) ==
        R"({"kind":"header","name":"X-User","value":"7","pool":""})");
}

TEST_CASE("limpetctl: a question about nothing, or about no address, is wrong usage") {
  for (const char* option : {"--cookie", "--session", "--header", "--query", "--principal"}) {
    CHECK_MESSAGE(complaint_about({"explain", option, ""}) ==
                      "limpetctl: " + std::string(option) + ": expected a value",
                  option);
  }
  const std::string complaint = complaint_about({"explain", "--client-ip", "nonsense"});
  CHECK_MESSAGE(complaint.starts_with("limpetctl: --client-ip: "), complaint);
  CHECK_MESSAGE(complaint.find("nonsense") != std::string::npos, complaint);
  const auto good = parse({"explain", "--client-ip", "::1"});
  REQUIRE(good.command);
  CHECK(good.command->kind == "client-ip");
  CHECK(good.command->value == "::1");
}

TEST_CASE("limpetctl: tables are aligned, numbers to the right, by characters not bytes") {
  Table table({"NAME", ">COUNT", "NOTE"});
  table.add({"aé", "5", "x"});
  table.add({"longer", "1234", ""});
  CHECK(table.print() == "NAME    COUNT  NOTE\naé          5  x\nlonger   1234\n");
}

TEST_CASE("limpetctl: answers become words") {
  Command replicas;
  replicas.verb = Verb::kReplicas;
  const auto shown = render(replicas, R"({"replicas":[{"pool":"web","id":"a","state":"ready",
      "health":"ejected","ejected_seconds":9,"sessions":12,"latency_ms":1.26,"weight":1,
      "address":"10.0.0.1:80"}]})");
  CHECK(shown.is_whole);
  CHECK(shown.text.find("web   a   ready  ejected 9s") != std::string::npos);
  CHECK(shown.text.find("1.3 ms") != std::string::npos);

  Command explain;
  explain.verb = Verb::kExplain;
  const auto nobody =
      render(explain, R"({"kind":"cookie","answers":[{"pool":"web","answered":false}]})");
  CHECK(!nobody.is_whole);
  CHECK(nobody.text.find("no rule of affinity takes a cookie in: web") != std::string::npos);

  Command drain;
  drain.verb = Verb::kReplica;
  drain.wait = std::chrono::seconds(5);
  const auto late = render(
      drain,
      R"({"replicas":[{"pool":"web","id":"a","state":"drain","sessions":3}],"drained":false})");
  CHECK(!late.is_whole);
  CHECK(render(drain, "no json").is_whole == false);
  CHECK(refusal_text(R"({"error":"no such pool"})") == "no such pool");
}

TEST_CASE("limpetctl: pools with outcomes and causes") {
  Command pools;
  pools.verb = Verb::kPools;
  const auto shown = render(pools, R"({"pools":[{"name":"web","replicas_total":3,"replicas_up":2,
      "affinity":true,"requests":10,"outcomes":{"hit":8,"moved":2},"causes":{"gone":2}}]})");
  CHECK(shown.text.find("2 of 3") != std::string::npos);
  CHECK(shown.text.find("hit 8, moved 2 (gone 2)") != std::string::npos);
}

TEST_CASE("limpetctl: a daemon that is not there is named with its socket") {
  const auto answer = ask("/nonexistent/control.sock", {"GET", "/v1/status", {}});
  REQUIRE(!answer.has_value());
  CHECK(answer.error().text.find("/nonexistent/control.sock") != std::string::npos);
  CHECK(answer.error().text.find("limpetd -c FILE") != std::string::npos);
  ::setenv("LIMPET_SOCKET", "/somewhere", 1);
  CHECK(default_socket() == "/somewhere");
  ::unsetenv("LIMPET_SOCKET");
  CHECK(percent_encoded("[::1]:80/a") == "%5B%3A%3A1%5D%3A80%2Fa");
}
