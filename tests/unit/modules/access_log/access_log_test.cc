// SPDX-License-Identifier: Apache-2.0
#include "modules/access_log/access_log.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/base/text.h"
#include "modules/access_log/line_format.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/plan_fixture.h"

namespace limpet {
namespace {

using namespace std::chrono_literals;
using access_log::LineFormat;
using access_log::Query;
using test::TestExchange;

constexpr WallTime kNow{std::chrono::milliseconds(1'795'341'600'123)};

/// A request that was retried and answered.
struct Story {
  Story() : pool(test::make_pool("web", std::vector<std::string>{"a", "b"})) {
    client.address = "192.0.2.7";
    client.listener = "secure";
    exchange = std::make_unique<TestExchange>(client, pool.get());
    exchange->method("POST").target("/cart?secret=1");
    Exchange& e = **exchange;
    e.request.authority = "shop.example.org";
    e.request_id = "id-1";
    e.client_address = "198.51.100.9";
    e.affinity = {Outcome::kMoved, Cause::kGone, "cookie"};
    e.attempts[0] = {&pool->replicas[0], FailureCause::kConnectRefused, false, {}};
    e.attempts[1] = {&pool->replicas[1], FailureCause::kNone, false, 1'500us};
    e.attempts_count = 2;
    e.replica = &pool->replicas[1];
    e.times.started = test::kStartInstant;
    e.times.sent = e.times.started + 2ms;
    e.times.first_byte = e.times.started + 12'345us;
    e.times.done = e.times.started + 1'020'001us;
    e.times.queued = 250us;
    e.request_body_bytes = 17;
    e.response_body_bytes = 4'096;
    e.status = 201;
    e.ending = Ending::kComplete;
  }
  std::unique_ptr<PoolFacts> pool;
  ClientFacts client;
  std::unique_ptr<TestExchange> exchange;
};

TEST_CASE("a line of JSON has every field") {
  Story story;
  LineFormat format(Query::kHidden);
  CHECK(
      format.json(**story.exchange, kNow) ==
      "{\"time\":\"2026-11-22T10:00:00.123Z\",\"request_id\":\"id-1\",\"client\":\"198.51.100.9\","
      "\"listener\":\"secure\",\"protocol\":\"HTTP/1.1\",\"method\":\"POST\","
      "\"host\":\"shop.example.org\",\"path\":\"/cart\",\"status\":201,\"request_bytes\":17,"
      "\"response_bytes\":4096,\"pool\":\"web\",\"replica\":\"b\","
      "\"attempts\":[\"a:connect-refused\",\"b\"],\"affinity\":\"moved\",\"cause\":\"gone\","
      "\"source\":\"cookie\",\"queue_ms\":0.250,\"connect_ms\":1.500,\"ttfb_ms\":10.345,"
      "\"total_ms\":1020.001,\"ending\":\"complete\"}\n");
}

TEST_CASE("whose certificate the client has is in its line, escaped") {
  Story story;
  story.client.tls_subject = "CN=a\\,b,O=\"x\"";
  LineFormat format(Query::kHidden);
  const std::string line(format.json(**story.exchange, kNow));
  CHECK_MESSAGE(
      line.find("\"listener\":\"secure\",\"client_certificate\":\"CN=a\\\\,b,O=\\\"x\\\"\","
                "\"protocol\"") != std::string::npos,
      line);
}

TEST_CASE("the trace that a request is part of is in its line where it says one that can be read") {
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const std::string parent = "00f067aa0ba902b7";
  const auto line_of = [](const std::string& field) {
    Story story;
    story.exchange->header("traceparent", field);
    LineFormat format(Query::kHidden);
    return std::string(format.json(**story.exchange, kNow));
  };
  const std::string ids = "\"request_id\":\"id-1\",\"trace_id\":\"" + trace +
                          "\",\"parent_id\":\"" + parent + "\",\"client\":";
  CHECK(line_of("00-" + trace + "-" + parent + "-01").find(ids) != std::string::npos);
  CHECK(line_of("01-" + trace + "-" + parent + "-01-more").find(ids) != std::string::npos);
  const std::string zeros(32, '0');
  for (const std::string& odd :
       {std::string(), std::string("00"), "00-" + trace + "-" + parent + "-0",
        "00-" + trace + "-" + parent + "-01x", "ff-" + trace + "-" + parent + "-01",
        "00-" + zeros + "-" + parent + "-01", "00-" + trace + "-" + zeros.substr(16) + "-01",
        "00-" + trace.substr(1) + "G-" + parent + "-01",
        "00-" + trace.substr(1) + "\"-" + parent + "-01"}) {
    CAPTURE(odd);
    CHECK(line_of(odd).find("trace_id") == std::string::npos);
  }
}

TEST_CASE("an exchange of which little is known is a whole line as well") {
  ClientFacts client;
  TestExchange exchange(client, nullptr);
  exchange->request.method_text = "";
  exchange->status = 400;
  exchange->ending = Ending::kRefused;
  LineFormat format(Query::kHidden);
  const std::string line(format.json(*exchange, kNow));
  CHECK(line.find("\"pool\":\"\",\"replica\":\"\",\"attempts\":[]") != std::string::npos);
  CHECK(line.find("\"ttfb_ms\":null,\"total_ms\":0.000,\"ending\":\"refused\"}\n") !=
        std::string::npos);
}

TEST_CASE("the query is written only where the settings say so") {
  Story story;
  CHECK(LineFormat(Query::kHidden).json(**story.exchange, kNow).find("secret") ==
        std::string_view::npos);
  LineFormat shown(Query::kShown);
  CHECK(shown.json(**story.exchange, kNow).find("\"path\":\"/cart?secret=1\"") !=
        std::string_view::npos);
}

TEST_CASE("the combined format") {
  Story story;
  story.exchange->header("user-agent", "curl/8").header("referer", "https://a/\"x");
  LineFormat format(Query::kHidden);
  CHECK(format.combined(**story.exchange, kNow) ==
        "198.51.100.9 - - [22/Nov/2026:10:00:00 +0000] \"POST /cart HTTP/1.1\" 201 4096 "
        "\"https://a/\\\"x\" \"curl/8\"\n");
}

TEST_CASE("nothing that a client sends begins a line or ends a quote") {
  const char* const kNasty[] = {"\n{\"status\":200}",
                                "\r\n",
                                "\"",
                                "\\",
                                "\x7f",
                                "\x01",
                                "\xc3\xa9",
                                "a\"b",
                                "1234567\"",
                                "12345678\n",
                                "123456789012345\\"};
  for (const char* nasty : kNasty) {
    CAPTURE(nasty);
    Story story;
    Exchange& e = **story.exchange;
    e.request.path = nasty;
    e.request.query = nasty;
    e.request.method_text = nasty;
    e.request.authority = nasty;
    e.request_id = nasty;
    e.client_address = nasty;
    story.exchange->header("user-agent", nasty).header("referer", nasty);
    LineFormat format(Query::kShown);
    for (const std::string_view line :
         {std::string(format.json(e, kNow)), std::string(format.combined(e, kNow))}) {
      CHECK(line.find('\n') == line.size() - 1);
      int quotes = 0;
      for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\') {
          ++i;  // what it escapes
        } else if (line[i] == '"') {
          ++quotes;
        }
        CHECK((line[i] == '\n' || (line[i] >= ' ' && line[i] <= '~')));
      }
      CHECK(quotes == (line.front() == '{' ? 76 : 6));
    }
  }
}

TEST_CASE("texts of every length come out as they went in, and are escaped wherever the byte is") {
  access_log::LineBuilder line;
  for (std::size_t bytes = 0; bytes < 40; ++bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes; ++i)
      text += static_cast<char>('a' + i % 26);
    line.begin(0, bytes);
    line.put_outside(text);
    CHECK(line.line() == text);
    for (std::size_t at = 0; at < bytes; ++at) {
      for (const char nasty : {'"', '\\', '\x1f', '\x7f', '\x80', '\xff', '\0'}) {
        std::string changed = text;
        changed[at] = nasty;
        line.begin(0, bytes);
        line.put_outside(changed);
        CHECK(line.line() == text::escaped(changed));
      }
    }
  }
}

TEST_CASE("a very long path is a whole line") {
  Story story;
  Exchange& e = **story.exchange;
  const std::string path(30'000, '\n');
  e.request.path = path;
  LineFormat format(Query::kHidden);
  const std::string_view line = format.json(e, kNow);
  CHECK(line.size() > 180'000);
  CHECK(line.ends_with("\"ending\":\"complete\"}\n"));
}

/// Keeps the lines.
class KeptLines final : public LineWriter {
 public:
  bool append(std::size_t worker, std::string_view line) noexcept override {
    workers.push_back(worker);
    lines.emplace_back(line);
    return true;
  }
  void reopen() override {}
  void withdraw() noexcept override {}
  void flush() override {}
  [[nodiscard]] std::uint64_t dropped() const noexcept override { return 0; }
  std::vector<std::string> lines;
  std::vector<std::size_t> workers;
};

TEST_CASE("one line for each exchange, in the format of the settings, by its worker") {
  struct Row {
    const char* toml;
    const char* start;
    bool wants_done;
  };
  constexpr Row kRows[] = {{"", "{\"time\"", true},
                           {"[access_log]\nformat = \"json\"", "{\"time\"", true},
                           {"[access_log]\nformat = \"combined\"", "198.51.100.9 - -", true},
                           {"[access_log]\nformat = \"off\"", "", false}};
  for (const Row& row : kRows) {
    CAPTURE(row.toml);
    Story story;
    const test::PlanRig plan(kAccessLog, *story.pool, row.toml);
    REQUIRE_MESSAGE(plan.is_valid(), plan.mistakes());
    CHECK(plan->wants(Phase::kDone) == row.wants_done);
    CHECK_FALSE(plan->wants(Phase::kRequest));
    if (!row.wants_done) continue;
    test::ModuleRig rig(*story.pool, *plan, 1);
    rig.done(*story.exchange);  // no writer: nothing happens
    KeptLines kept;
    rig.worker().set_access_log(&kept);
    rig.done(*story.exchange);
    REQUIRE(kept.lines.size() == 1);
    CHECK(kept.lines[0].starts_with(row.start));
    CHECK(kept.workers[0] == 1);
  }
}

TEST_CASE("mistakes in [access_log] are named") {
  Story story;
  const test::PlanRig plan(kAccessLog, *story.pool, "[access_log]\nformat = \"jsn\"");
  CHECK_FALSE(plan.is_valid());
  CHECK(plan.mistakes().find("json") != std::string::npos);
}

}  // namespace
}  // namespace limpet
