// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/sse_scanner.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

struct Seen {
  std::string name, id, data;
  bool has_id = false, has_data = false, is_cut = false;
  std::uint64_t data_bytes = 0;
};

class Collector final : public SseSink {
 public:
  void on_event(const SseEvent& event) override {
    events.push_back({std::string(event.name), std::string(event.id), std::string(event.data),
                      event.has_id, event.has_data, event.is_cut, event.data_bytes});
  }
  std::vector<Seen> events;
};

std::vector<Seen> scan(std::string_view stream, std::size_t step) {
  Collector collector;
  SseScanner scanner;
  for (std::size_t at = 0; at < stream.size(); at += step)
    scanner.feed(stream.substr(at, step), &collector);
  return collector.events;
}

TEST_CASE("events are the same wherever the chunks are cut and however lines end") {
  const std::string plain =
      "event: message\nid: 7\ndata: {\"a\":1}\ndata:two\n\n: comment\n\ndata\n\nevent:x\ndata:  "
      "y\n\n";
  for (const std::string end : {"\n", "\r", "\r\n"}) {
    std::string stream;
    for (const char c : plain)
      stream += c == '\n' ? end : std::string(1, c);
    for (const std::string mark : {"", "\xef\xbb\xbf"}) {
      for (std::size_t step = 1; step <= stream.size(); ++step) {
        CAPTURE(step);
        const auto events = scan(mark + stream, step);
        REQUIRE(events.size() == 3);
        CHECK(events[0].name == "message");
        CHECK(events[0].has_id);
        CHECK(events[0].id == "7");
        CHECK(events[0].data == "{\"a\":1}\ntwo");
        CHECK(events[0].data_bytes == 11);
        CHECK(events[1].data.empty());
        CHECK(events[1].has_data);
        CHECK_FALSE(events[1].has_id);
        CHECK(events[2].name == "x");
        CHECK(events[2].data == " y");
      }
    }
  }
}

TEST_CASE("a comment may be put in between events only") {
  SseScanner scanner;
  CHECK(scanner.is_between_events());
  scanner.feed("data: a", nullptr);
  CHECK_FALSE(scanner.is_between_events());
  scanner.feed("\n", nullptr);
  CHECK_FALSE(scanner.is_between_events());
  scanner.feed("\n", nullptr);
  CHECK(scanner.is_between_events());
  scanner.feed(": c", nullptr);
  CHECK_FALSE(scanner.is_between_events());
  scanner.feed("\n", nullptr);
  CHECK(scanner.is_between_events());
  CHECK(scanner.events() == 1);
}

TEST_CASE("nothing is put between CR and LF") {
  SseScanner scanner;
  scanner.feed("data: a\r\n\r", nullptr);
  CHECK_FALSE(scanner.is_between_events());
  scanner.feed("\n", nullptr);
  CHECK(scanner.is_between_events());

  SseScanner bare;
  bare.feed("data: a\r\r", nullptr);
  CHECK(bare.is_between_events());
}

TEST_CASE("a byte order mark is counted, in pieces too, so that it can be left out") {
  SseScanner scanner;
  scanner.feed("\xef\xbb", nullptr);
  CHECK(scanner.mark_bytes() == 2);
  CHECK_FALSE(scanner.is_between_events());
  scanner.feed("\xbf", nullptr);
  CHECK(scanner.mark_bytes() == 1);
  CHECK(scanner.is_between_events());
  scanner.feed("data:x\n\n", nullptr);
  CHECK(scanner.mark_bytes() == 0);
}

TEST_CASE("an event of 16 MB passes with a bounded part of it kept") {
  Collector collector;
  SseScanner scanner(1024);
  scanner.feed("event: message\ndata: ", &collector);
  const std::string block(64 * 1024, 'x');
  for (int i = 0; i < 256; ++i)
    scanner.feed(block, &collector);
  scanner.feed("\n\ndata: next\n\n", &collector);
  REQUIRE(collector.events.size() == 2);
  CHECK(collector.events[0].is_cut);
  CHECK(collector.events[0].data.size() <= 1024);
  CHECK(collector.events[0].data_bytes == 16u * 1024 * 1024);
  CHECK(collector.events[1].data == "next");
  CHECK_FALSE(collector.events[1].is_cut);
}

TEST_CASE("unknown fields and longer names are no data") {
  const auto events = scan("retry: 10\ndatax: 1\neventually: 2\ndat: 3\n\n", 3);
  REQUIRE(events.size() == 1);
  CHECK_FALSE(events[0].has_data);
  CHECK(events[0].name.empty());
}

}  // namespace
}  // namespace limpet::mcp
