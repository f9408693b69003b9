// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http1_quick_head.h"

#include <array>
#include <string>

#include <doctest/doctest.h>

#include "daemon/base/random.h"
#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;
using limpet::test::Reader;

namespace {

constexpr std::array kRequests = {
    "GET /128 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n",
    "POST /mcp?x=1 HTTP/1.1\r\nHOST: a\r\nContent-Type: text/plain\r\ncontent-length: 3\r\n\r\nabc",
    "GET / HTTP/1.0\r\nX-B3-TraceId: 1\r\nArr-Disable-Session-Affinity: x\r\ncookie: a=1; "
    "b=2\r\n\r\n",
    "\r\nPUT / HTTP/1.1\r\nHost: a:80\r\nTransfer-Encoding: chunked\r\nTrailer: "
    "x\r\n\r\n0\r\n\r\n"};
constexpr std::array kResponses = {
    "HTTP/1.1 200 OK\r\nX-Replica: s1\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 304 \r\nMcp-Protocol-Version: 2025-06-18\r\nSet-Cookie: a=b; Path=/\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nrest"};

// Everything that follows from a head, the head written anew included.
std::string account_of(Reader& reader, CodecRole role) {
  std::string text = reader.said() + reader.reason() + "|" + reader.body() + "|" + reader.pending();
  if (reader.said().starts_with("request")) {
    const CodecLimits limits;
    Http1Codec writer(CodecRole::kClient, limits);
    Buffer out;
    writer.write_request_head(reader.request(), out);
    text.append("|").append(out.view()).append("|").append(fields_text(reader.request().fields));
  }
  if (role == CodecRole::kClient && reader.said().starts_with("response")) {
    text.append("|").append(fields_text(reader.response().fields));
  }
  return text;
}

// A head that begins to arrive with one byte is read carefully.
void compare_ways(CodecRole role, const std::string& bytes) {
  CodecLimits limits;
  limits.header_bytes = 400;
  limits.request_line_bytes = 60;
  limits.header_fields = 6;
  Reader whole(role, limits);
  Reader split(role, limits);
  if (role == CodecRole::kClient) {
    whole.ask();
    split.ask();
  }
  whole.feed(bytes);
  split.feed(bytes.substr(0, 1)).feed(bytes.substr(1));
  // What follows an empty first line is fed once more in both.
  if (bytes.starts_with("\r\n")) return;
  CAPTURE(bytes);
  CHECK(account_of(whole, role) == account_of(split, role));
}

std::string changed(std::string bytes, Random& random) {
  constexpr std::string_view kBytes = "\r\n: \tAz-0,;\x7f\x80#/";
  for (std::uint32_t changes = random.below(3) + 1; changes > 0; --changes) {
    const std::size_t at = random.below(static_cast<std::uint32_t>(bytes.size()));
    const char byte = kBytes[random.below(kBytes.size())];
    switch (random.below(3)) {
      case 0:
        bytes[at] = byte;
        break;
      case 1:
        bytes.insert(at, random.below(40) + 1, byte);
        break;
      default:
        bytes.erase(at, random.below(4) + 1);
        break;
    }
    if (bytes.size() < 2) return "GET";
  }
  return bytes;
}

}  // namespace

TEST_CASE("quick head: it reads what the careful way reads, and leaves it all else") {
  Random random(7);
  for (const char* head : kRequests)
    compare_ways(CodecRole::kServer, head);
  for (const char* head : kResponses)
    compare_ways(CodecRole::kClient, head);
  for (int i = 0; i < 8000; ++i) {
    compare_ways(CodecRole::kServer, changed(kRequests[random.below(kRequests.size())], random));
    compare_ways(CodecRole::kClient, changed(kResponses[random.below(kResponses.size())], random));
  }
}

TEST_CASE("quick head: a usual head is read, and borrows from the copy") {
  Arena arena;
  HeaderList fields(arena);
  QuickHead head;
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nMCP-Session-Id: 1 2\r\n\r\nbody";
  std::string copy = text + std::string(kQuickSlack, 'x');
  REQUIRE(read_quick_head(copy.data(), text.size(), {100, 100, 10}, fields, head));
  CHECK(head.start_line == "GET / HTTP/1.1");
  CHECK(head.section_bytes == text.size() - 4);
  CHECK(head.charged_bytes == 4 + 1 + 14 + 3 + 64);
  CHECK(fields_text(fields) == "host=a|mcp-session-id=1 2");
  CHECK(fields.fields()[1].id == FieldName::kMcpSessionId);
  CHECK(fields.fields()[0].is_line());
}

TEST_CASE("quick head: what is incomplete or unusual is left alone") {
  for (const std::string text :
       {"GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r", "\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a \r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\rb: c\r\n\r\n",
        "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"}) {
    Arena arena;
    HeaderList fields(arena);
    QuickHead head;
    std::string copy = text + std::string(kQuickSlack, 'x');
    CAPTURE(text);
    CHECK_FALSE(read_quick_head(copy.data(), text.size(), {100, 100, 2}, fields, head));
    CHECK(fields.fields().empty());
  }
}

TEST_CASE("field names: every known name is found in any case, and nothing else") {
  for (auto i = 1U; i < static_cast<unsigned>(FieldName::kCount); ++i) {
    const auto name = static_cast<FieldName>(i);
    for (const std::string_view suffix : {"", "x"}) {
      std::string text = "GET / HTTP/1.1\r\n" + std::string(spelling(name));
      text[16] = static_cast<char>(text[16] & ~0x20);
      text.append(suffix).append(": v\r\n\r\n");
      Arena arena;
      HeaderList fields(arena);
      QuickHead head;
      const std::size_t bytes = text.size();
      text.append(kQuickSlack, 'x');
      CAPTURE(text);
      REQUIRE(read_quick_head(text.data(), bytes, {100, 100, 2}, fields, head));
      CHECK(fields.fields()[0].id == (suffix.empty() ? name : FieldName::kOther));
    }
  }
}
