// SPDX-License-Identifier: Apache-2.0
// Every block is read back by the library's own decoder, which keeps the table's other side.
#include "daemon/http/http2_field_encoder.h"

#include <cstdint>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/http2_fixture.h"

namespace limpet::test {
namespace {

using Pseudo = Http2FieldEncoder::Pseudo;

/// Both ends of one direction.
struct Ends {
  [[nodiscard]] std::string block(const FieldTexts& fields) {
    std::size_t bytes_max = Http2FieldEncoder::kBlockBytesMax;
    for (const auto& [name, value] : fields)
      bytes_max += name.size() + value.size() + Http2FieldEncoder::kFieldBytesMax;
    std::string octets(bytes_max, '\0');
    char* at = encoder.begin_block(octets.data());
    for (const auto& [name, value] : fields)
      at = encoder.put(at, known_name(name), name, value);
    REQUIRE(at <= octets.data() + octets.size());
    octets.resize(static_cast<std::size_t>(at - octets.data()));
    return octets;
  }
  /// What arrives of `fields`, and in how many octets.
  [[nodiscard]] std::string arrived(const FieldTexts& fields) {
    const std::string octets = block(fields);
    bytes = octets.size();
    return expander.fields(octets);
  }
  [[nodiscard]] std::string pseudo(Pseudo name, std::string_view value) {
    std::string octets(value.size() + 2 * Http2FieldEncoder::kFieldBytesMax, '\0');
    char* at = encoder.put(encoder.begin_block(octets.data()), name, value);
    octets.resize(static_cast<std::size_t>(at - octets.data()));
    return octets;
  }

  Http2Memory memory;
  Http2FieldEncoder encoder{memory};
  Expander expander;
  std::size_t bytes = 0;
};

[[nodiscard]] std::string joined_texts(const FieldTexts& fields) {
  std::string text;
  for (const auto& [name, value] : fields)
    text += (text.empty() ? "" : "|") + name + "=" + value;
  return text;
}

TEST_CASE("hpack: what the static table has is one octet") {
  Ends ends;
  CHECK(ends.pseudo(Pseudo::kMethod, "GET") == "\x82");
  CHECK(ends.pseudo(Pseudo::kMethod, "POST") == "\x83");
  CHECK(ends.pseudo(Pseudo::kPath, "/") == "\x84");
  CHECK(ends.pseudo(Pseudo::kScheme, "http") == "\x86");
  CHECK(ends.pseudo(Pseudo::kScheme, "https") == "\x87");
  CHECK(ends.pseudo(Pseudo::kStatus, "200") == "\x88");
  CHECK(ends.pseudo(Pseudo::kStatus, "404") == "\x8d");
  CHECK(ends.pseudo(Pseudo::kStatus, "500") == "\x8e");
  CHECK(ends.encoder.table_bytes() == 0);
}

TEST_CASE("hpack: other pseudo-header fields are read back, a path is not remembered") {
  Ends ends;
  for (int again = 0; again < 2; ++again) {
    CHECK(ends.expander.fields(ends.pseudo(Pseudo::kMethod, "PATCH")) == ":method=PATCH");
    CHECK(ends.expander.fields(ends.pseudo(Pseudo::kStatus, "418")) == ":status=418");
    CHECK(ends.expander.fields(ends.pseudo(Pseudo::kStatus, "20")) == ":status=20");
    CHECK(ends.expander.fields(ends.pseudo(Pseudo::kScheme, "")) == ":scheme=");
    CHECK(ends.expander.fields(ends.pseudo(Pseudo::kAuthority, "a.example")) ==
          ":authority=a.example");
    CHECK(ends.expander.fields(ends.pseudo(Pseudo::kProtocol, "websocket")) ==
          ":protocol=websocket");
  }
  const std::uint32_t before = ends.encoder.table_bytes();
  CHECK(ends.expander.fields(ends.pseudo(Pseudo::kPath, "/a")) == ":path=/a");
  CHECK(ends.encoder.table_bytes() == before);
}

TEST_CASE("hpack: what comes again is one octet a field") {
  Ends ends;
  const FieldTexts fields = {{"content-type", "text/html; charset=utf-8"},
                             {"server", "unit"},
                             {"x-own", ""},
                             {"x", "a"},
                             {"vary", "accept-encoding"},
                             {"date", "Sun, 22 Nov 2026 22:06:27 GMT"}};
  CHECK(ends.arrived(fields) == joined_texts(fields));
  CHECK(ends.bytes > 90);
  for (int again = 0; again < 3; ++again) {
    CHECK(ends.arrived(fields) == joined_texts(fields));
    CHECK(ends.bytes == fields.size());
  }
}

TEST_CASE("hpack: of a field that is another one each time the name is remembered") {
  Ends ends;
  const auto arrives = [&](const std::string& name, const std::string& value) {
    CHECK(ends.arrived({{name, value}}) == name + "=" + value);
    return ends.bytes;
  };
  CHECK(arrives("x-request-id", "0123456789abcdef") > 16 + 12);
  const std::uint32_t held = ends.encoder.table_bytes();
  for (const char* value : {"1123456789abcdef", "2123456789abcdef", "0123456789abcdee"})
    CHECK(arrives("x-request-id", value) <= 16 + 3);
  CHECK(ends.encoder.table_bytes() == held);
  for (const char* name : {"content-length", "etag", "location", "if-none-match"}) {
    for (const char* value : {"1", "22", "1"})
      CHECK(arrives(name, value) <= 2 + 4);
  }
  CHECK(ends.encoder.table_bytes() == held);
}

TEST_CASE("hpack: secrets are in no table, on no hop") {
  for (const char* name :
       {"authorization", "cookie", "set-cookie", "mcp-session-id", "proxy-authorization"}) {
    Ends ends;
    for (int again = 0; again < 2; ++again) {
      CHECK(ends.arrived({{name, "secret"}}) == std::string(name) + "=secret");
      CHECK(ends.expander.has_seen_secret());
    }
    CHECK(ends.encoder.table_bytes() == 0);
  }
}

TEST_CASE("hpack: the table never holds more than it may, and goes on working when it is full") {
  Ends ends;
  std::mt19937 generator(7);
  const auto random = [&] { return static_cast<std::uint32_t>(generator()); };
  for (int block = 0; block < 3000; ++block) {
    FieldTexts fields;
    for (std::uint32_t i = random() % 6; i > 0; --i) {
      const std::uint32_t which = random() % 60;
      const std::string name = which < 20   ? "x-" + std::to_string(which)
                               : which < 40 ? "server"
                                            : "x-longer-name";
      fields.emplace_back(name, std::string(random() % 90, static_cast<char>('a' + which % 26)));
    }
    REQUIRE(ends.arrived(fields) == joined_texts(fields));
    REQUIRE(ends.encoder.table_bytes() <= Http2FieldEncoder::kTableBytes);
  }
  CHECK(ends.encoder.table_bytes() > Http2FieldEncoder::kTableBytes / 2);
}

TEST_CASE("hpack: texts of any length are read back, those that would fill the table not kept") {
  Ends ends;
  for (const std::size_t bytes :
       {0U, 1U, 3U, 4U, 7U, 8U, 9U, 126U, 127U, 128U, 300U, 2000U, 2048U, 20000U, 60000U}) {
    const std::string value(bytes, 'v');
    const bool is_the_same = ends.arrived({{"server", value}}) == "server=" + value;
    CHECK_MESSAGE(is_the_same, bytes);
    if (bytes > 2048) CHECK(ends.bytes > bytes);
  }
  CHECK(ends.encoder.table_bytes() <= Http2FieldEncoder::kTableBytes);
}

TEST_CASE("hpack: texts that differ in one octet are told apart") {
  Ends ends;
  for (const std::size_t bytes : {1U, 2U, 3U, 5U, 8U, 11U, 16U, 29U, 40U}) {
    for (std::size_t at = 0; at < bytes; ++at) {
      std::string value(bytes, 'a');
      value[at] = 'b';
      REQUIRE(ends.arrived({{"server", value}}) == "server=" + value);
      std::string name(bytes, 'n');
      name[at] = 'm';
      REQUIRE(ends.arrived({{name, "v"}}) == name + "=v");
    }
  }
}

TEST_CASE("hpack: the peer's word about its table is kept, and said in the next block") {
  std::mt19937 generator(11);
  const auto random = [&] { return static_cast<std::uint32_t>(generator()); };
  for (int round = 0; round < 200; ++round) {
    Ends ends;
    const FieldTexts fields = {{"server", "unit"}, {"x-a", "1"}, {"x-b", "2"}, {"via", "3"}};
    for (int block = 0; block < 20; ++block) {
      for (std::uint32_t changes = random() % 3; changes > 0; --changes) {
        static constexpr std::uint32_t kSizes[] = {0, 40, 100, 2000, 4096, 65536};
        const std::uint32_t size = kSizes[random() % std::size(kSizes)];
        ends.encoder.limit_table(size);
        ends.expander.limit_table(size);
        REQUIRE(ends.encoder.table_bytes() <= size);
      }
      REQUIRE(ends.arrived(fields) == joined_texts(fields));
    }
  }
}

TEST_CASE("hpack: a name with many values is not searched for ever, and stays right") {
  Ends ends;
  for (int round = 0; round < 50; ++round) {
    for (int value = 0; value < 40; ++value) {
      const std::string text = std::to_string(value);
      REQUIRE(ends.arrived({{"x-many", text}}) == "x-many=" + text);
    }
  }
}

TEST_CASE("hpack: its memory goes back") {
  Http2Memory memory;
  {
    Http2FieldEncoder encoder(memory);
    char place[64];
    CHECK(encoder.put(place, FieldName::kServer, "server", "unit") > place);
    CHECK(memory.bytes_in_use() > 0);
    CHECK(memory.bytes_in_use() < 1024);
  }
  CHECK(memory.bytes_in_use() == 0);
}

}  // namespace
}  // namespace limpet::test
