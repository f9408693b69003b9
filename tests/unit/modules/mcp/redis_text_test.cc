// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/redis_text.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

TEST_CASE("addresses of the store are read, passwords never printed") {
  const auto plain = parse_redis_address("redis://127.0.0.1:7000/3");
  REQUIRE(plain);
  CHECK(plain->address.port() == 7000);
  CHECK(plain->database == 3);
  CHECK(plain->print() == "redis://127.0.0.1:7000/3");
  CHECK(parse_redis_address("redis://127.0.0.1")->address.port() == kRedisPort);
  CHECK(parse_redis_address("redis://[::1]")->address.print() == "[::1]:6379");
  CHECK(parse_redis_address("redis://[::1]:7/")->address.print() == "[::1]:7");
  const auto secret = parse_redis_address("redis://u%3Aser:p%40ss@10.0.0.1:1");
  REQUIRE(secret);
  CHECK(secret->user == "u:ser");
  CHECK(secret->password == "p@ss");
  CHECK(secret->print().find("p@ss") == std::string::npos);
  CHECK(parse_redis_address("redis+unix:///run/redis.sock")->print() ==
        "redis+unix:///run/redis.sock");
  for (const char* wrong : {"", "redis://", "redis://host:1", "127.0.0.1:1", "redis://127.0.0.1:x",
                            "redis://127.0.0.1/x", "redis://a@127.0.0.1", "redis://:%4@127.0.0.1",
                            "redis://127.0.0.1:0", "redis://127.0.0.1/99999999999"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_redis_address(wrong));
  }
}

SessionRecord full_record() {
  auto birth = std::make_shared<SessionBirth>();
  birth->initialize = "{\"a\":\n1}";
  birth->request_id = "0";
  birth->client_name = "c";
  birth->server = {"2025-11-25", "{}", "s", "1"};
  birth->by.principal = 18446744073709551615ULL;
  birth->by.credential = 5;
  SessionRecord record;
  record.birth = birth;
  record.home = {"a", "o:1", WallSeconds(std::chrono::seconds(77)), 9, 3};
  record.level = "debug";
  record.subscriptions = {"", "file:///x"};
  return record;
}

TEST_CASE("a record reads back as the same") {
  const SessionRecord record = full_record();
  const auto back = read_record(print_record(record));
  REQUIRE(back);
  CHECK(back->home.original_id == "o:1");
  CHECK(back->home.since == record.home.since);
  CHECK(back->home.incarnation == 9);
  CHECK(back->home.moves == 3);
  CHECK(back->level == "debug");
  CHECK(back->subscriptions == record.subscriptions);
  CHECK(back->birth->initialize == record.birth->initialize);
  CHECK(back->birth->by.principal == record.birth->by.principal);
  CHECK(print_record(*back) == print_record(record));
  const auto bare = read_record(print_record(SessionRecord{}));
  REQUIRE(bare);
  CHECK(bare->birth == nullptr);
}

TEST_CASE("a record that is cut or changed is none") {
  const std::string text = print_record(full_record());
  for (std::size_t i = 0; i < text.size(); ++i)
    CHECK_FALSE(read_record(std::string_view(text).substr(0, i)));
  CHECK_FALSE(read_record(text + "0:"));
  CHECK_FALSE(read_record("limpet-session/2\n" + text.substr(17)));
  CHECK_FALSE(read_record("limpet-session/1\n9999999:a"));
}

TEST_CASE("keys of pools and kinds are apart") {
  CHECK(record_key("p", "s") == "limpet:p:session:s");
  CHECK(tombstone_key("p", "s") == "limpet:p:ended:s");
}

}  // namespace
}  // namespace limpet::mcp
