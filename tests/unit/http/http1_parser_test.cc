// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http1_parser.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace limpet;

namespace {

constexpr SectionLimits kRoom = {8192, 32768, 100};

struct Scanned {
  SectionScan::Outcome outcome;
  std::uint32_t bytes;
  std::size_t lines;
  Fault fault;
};

[[nodiscard]] Scanned scan(std::string_view bytes, const SectionLimits& room = kRoom) {
  SectionScan scan;
  LineEnds ends;
  Refusal refusal;
  const auto outcome = scan.scan(bytes, SectionScan::Section::kHead, room, ends, refusal);
  return {outcome, scan.section_bytes(), ends.count, refusal.fault};
}

// Copies `lines` with the slack that the parser asks for.
struct Section {
  explicit Section(std::string_view lines) : bytes(lines.begin(), lines.end()), fields(arena) {
    bytes.resize(bytes.size() + kSectionSlack);
    SectionScan scan;
    Refusal unused;
    const auto outcome = scan.scan(lines, SectionScan::Section::kTrailers, kRoom, ends, unused);
    REQUIRE(outcome == SectionScan::Outcome::kComplete);
    refusal = parse_fields(bytes.data(), ends, 0, fields, charged);
  }
  std::vector<char> bytes;
  Arena arena;
  HeaderList fields;
  LineEnds ends;
  std::size_t charged = 0;
  Refusal refusal;
};

using ScanOutcome = SectionScan::Outcome;

}  // namespace

TEST_CASE("parser: a section ends at the empty line, wherever it falls in a block") {
  for (std::size_t length = 1; length < 80; ++length) {
    const std::string head = "GET / HTTP/1.1\r\nX: " + std::string(length, 'a') + "\r\n\r\n";
    CAPTURE(length);
    const Scanned found = scan(head + "behind it\r\n\r\n");
    CHECK(found.outcome == ScanOutcome::kComplete);
    CHECK(found.bytes == head.size());
    CHECK(found.lines == 2);
    for (std::size_t cut = 0; cut < head.size(); ++cut) {
      CHECK(scan(head.substr(0, cut)).outcome == ScanOutcome::kIncomplete);
    }
  }
}

TEST_CASE("parser: a control byte is found at every place, and a tab or obs-text is none") {
  const std::string head =
      "GET /some/path HTTP/1.1\r\nHost: a.example\r\nX-Long: 0123456789abcdef0123456789\r\n\r\n";
  for (std::size_t at = 0; at < head.size(); ++at) {
    CAPTURE(at);
    for (const char control : {'\0', '\x01', '\x0b', '\x1f', '\x7f', '\n', '\r'}) {
      if (head[at] == control) continue;
      std::string broken = head;
      broken[at] = control;
      const Scanned found = scan(broken);
      const bool is_refused = found.outcome == ScanOutcome::kRefused;
      // A CR in front of a CR, or in the place of the last LF, leaves the end open.
      CHECK((is_refused || (control == '\r' && at + 1 == head.size())));
    }
    if (head[at] == '\r' || head[at] == '\n') continue;
    for (const char fine : {'\t', '\x80', '\xff'}) {
      std::string odd = head;
      odd[at] = fine;
      CHECK(scan(odd).outcome == ScanOutcome::kComplete);
    }
  }
}

TEST_CASE("parser: a resumed scan finds what a single one finds") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nCcccccccccccccccccccc: d\r\n\r\n";
  for (std::size_t first = 0; first <= head.size(); ++first) {
    for (std::size_t second = first; second <= head.size(); ++second) {
      SectionScan scan;
      LineEnds ends;
      Refusal refusal;
      const std::string_view all = head;
      auto outcome =
          scan.scan(all.substr(0, first), SectionScan::Section::kHead, kRoom, ends, refusal);
      if (first < head.size()) {
        outcome =
            scan.scan(all.substr(0, second), SectionScan::Section::kHead, kRoom, ends, refusal);
      }
      if (second < head.size()) {
        CHECK(outcome == ScanOutcome::kIncomplete);
        outcome = scan.scan(all, SectionScan::Section::kHead, kRoom, ends, refusal);
      }
      REQUIRE(outcome == ScanOutcome::kComplete);
      REQUIRE(ends.count == 4);
      CHECK(ends.at[0] == 14);
      CHECK(ends.at[1] == 23);
      CHECK(ends.at[3] == head.size() - 4);
    }
  }
}

TEST_CASE("parser: limits are met exactly") {
  const SectionLimits room = {20, 30, 2};
  const auto with_line = [](std::size_t bytes) { return std::string(bytes, 'a') + "\r\n\r\n"; };
  CHECK(scan(with_line(20), room).outcome == ScanOutcome::kComplete);
  CHECK(scan(with_line(21), room).fault == Fault::kTargetTooLong);
  CHECK(scan(std::string(21, 'a'), room).outcome == ScanOutcome::kIncomplete);
  CHECK(scan(std::string(22, 'a'), room).fault == Fault::kTargetTooLong);
  CHECK(scan("L\r\nA: b\r\nC: d\r\n\r\n", room).outcome == ScanOutcome::kComplete);
  CHECK(scan("L\r\nA: b\r\nC: d\r\nE: f\r\n\r\n", room).fault == Fault::kFieldsTooLarge);
  CHECK(scan("L\r\nA: b\r\nC: d\r\nE:", room).fault == Fault::kFieldsTooLarge);
  CHECK(scan("L\r\n" + std::string(28, 'a') + "\r\n\r\n", room).outcome == ScanOutcome::kComplete);
  CHECK(scan("L\r\n" + std::string(31, 'a') + "\r\n\r\n", room).fault == Fault::kFieldsTooLarge);
  CHECK(scan("L\r\n" + std::string(32, 'a'), room).fault == Fault::kFieldsTooLarge);
}

TEST_CASE("parser: names are lowered in place and values are trimmed") {
  Section section(
      "Host: a\r\nX_Odd.Name-9A: \t b c\t \r\nEmpty:\r\nSpaces:   \r\nAccept:*/*\r\n\r\n");
  REQUIRE_FALSE(section.refusal.is_refused());
  REQUIRE(section.fields.fields().size() == 5);
  CHECK(section.fields.value(FieldName::kHost) == "a");
  CHECK(section.fields.find("x_odd.name-9a")->value() == "b c");
  CHECK(section.fields.find("empty")->value().empty());
  CHECK(section.fields.find("spaces")->value().empty());
  CHECK(section.fields.value(FieldName::kAccept) == "*/*");
  CHECK(section.charged == 5 * 32 + 4 + 1 + 13 + 3 + 5 + 6 + 6 + 3);
}

TEST_CASE("parser: names of every length are lowered to their colon and not beyond it") {
  for (std::size_t length = 1; length < 70; ++length) {
    CAPTURE(length);
    Section section(std::string(length, 'N') + ":VALUE-STAYS-AS-IT-IS\r\n\r\n");
    REQUIRE_FALSE(section.refusal.is_refused());
    CHECK(section.fields.fields()[0].name() == std::string(length, 'n'));
    CHECK(section.fields.fields()[0].value() == "VALUE-STAYS-AS-IT-IS");
  }
}

TEST_CASE("parser: every byte is a tchar or no part of a name") {
  constexpr std::string_view kTchars =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (int c = 0x21; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    if (c == 0x7f || byte == ':') continue;
    CAPTURE(c);
    for (const char* start : {"", "ab", "abcdefghijklmnop"}) {
      Section section(std::string(start) + byte + "x: y\r\n\r\n");
      CHECK(section.refusal.is_refused() == (kTchars.find(byte) == std::string_view::npos));
    }
  }
}

TEST_CASE("parser: names around 255 and 65,535 bytes are whole or refused") {
  const SectionLimits room = {8192, 200000, 100};
  for (const std::size_t length :
       {254U, 255U, 256U, 257U, 270U, 65534U, 65535U, 65536U, 65537U, 65792U}) {
    CAPTURE(length);
    const std::string lines = std::string(length, 'n') + ": v\r\n\r\n";
    std::vector<char> copy(lines.begin(), lines.end());
    copy.resize(copy.size() + kSectionSlack);
    SectionScan scan;
    LineEnds ends;
    Refusal refusal;
    REQUIRE(scan.scan(lines, SectionScan::Section::kTrailers, room, ends, refusal) ==
            ScanOutcome::kComplete);
    Arena arena;
    HeaderList fields(arena);
    std::size_t charged = 0;
    refusal = parse_fields(copy.data(), ends, 0, fields, charged);
    if (length <= 0xffff) {
      REQUIRE_FALSE(refusal.is_refused());
      CHECK(fields.fields()[0].name().size() == length);
      CHECK(fields.fields()[0].value() == "v");
    } else {
      CHECK(refusal.fault == Fault::kFieldsTooLarge);
    }
  }
}

TEST_CASE("parser: methods are known by their exact names") {
  CHECK(method_of("GET") == Method::kGet);
  CHECK(method_of("HEAD") == Method::kHead);
  CHECK(method_of("POST") == Method::kPost);
  CHECK(method_of("PUT") == Method::kPut);
  CHECK(method_of("DELETE") == Method::kDelete);
  CHECK(method_of("CONNECT") == Method::kConnect);
  CHECK(method_of("OPTIONS") == Method::kOptions);
  CHECK(method_of("TRACE") == Method::kTrace);
  CHECK(method_of("PATCH") == Method::kPatch);
  CHECK(method_of("get") == Method::kOther);
  CHECK(method_of("GETS") == Method::kOther);
  CHECK(method_of("") == Method::kOther);
}

TEST_CASE("parser: status lines") {
  StatusLine line;
  CHECK_FALSE(parse_status_line("HTTP/1.1 200 OK", line).is_refused());
  CHECK(line.status == 200);
  CHECK(line.reason == "OK");
  line = {};
  CHECK_FALSE(parse_status_line("HTTP/1.0 404", line).is_refused());
  CHECK(line.version == HttpVersion::kHttp10);
  CHECK(line.reason.empty());
  CHECK_FALSE(parse_status_line("HTTP/1.1 404 ", line).is_refused());
  CHECK_FALSE(parse_status_line("HTTP/1.1 200 a \xc3\xa4", line).is_refused());
  for (const char* wrong :
       {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK", "HTTP/1.1 099 OK",
        "HTTP/1.1 600 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 200OK", "HTTP/2.0 200 OK",
        "HTTP/1.2 200 OK", "http/1.1 200 OK", "ICY 200 OK", "HTTP/1.1 -20 OK", "HTTP/1.1\t200 OK",
        "", "HTTP/1.1", "HTTP/1.1 200\tOK"}) {
    CAPTURE(wrong);
    CHECK(parse_status_line(wrong, line).is_refused());
  }
}

TEST_CASE("parser: chunk lines are bounded, whole or not there yet") {
  using Outcome = ChunkLine::Outcome;
  const ChunkLine whole = parse_chunk_line("1aF;x=\"y\"\r\n...", 256);
  CHECK(whole.outcome == Outcome::kComplete);
  CHECK(whole.data_bytes == 0x1af);
  CHECK(whole.line_bytes == 11);
  for (std::size_t cut = 0; cut < 11; ++cut) {
    CHECK(parse_chunk_line(std::string_view("1aF;x=\"y\"\r\n").substr(0, cut), 256).outcome ==
          Outcome::kIncomplete);
  }
  CHECK(parse_chunk_line("7fffffffffffffff\r\n", 256).data_bytes == 0x7fffffffffffffff);
  CHECK(parse_chunk_line("8000000000000000\r\n", 256).outcome == Outcome::kRefused);
  CHECK(parse_chunk_line("5;" + std::string(254, 'a') + "\r\n", 256).outcome == Outcome::kComplete);
  CHECK(parse_chunk_line("5;" + std::string(255, 'a') + "\r\n", 256).outcome == Outcome::kRefused);
  CHECK(parse_chunk_line("5;" + std::string(255, 'a'), 256).outcome == Outcome::kRefused);
  CHECK(parse_chunk_line(std::string(256, '0') + "\r\n", 256).outcome == Outcome::kComplete);
  CHECK(parse_chunk_line(std::string(257, '0'), 256).outcome == Outcome::kRefused);
}
