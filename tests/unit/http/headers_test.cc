// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/headers.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using limpet::Arena;
using limpet::Field;
using limpet::FieldName;
using limpet::HeaderList;
using limpet::known_name;
using limpet::spelling;
using limpet::test::fields_text;

TEST_CASE("headers: every name is known by its spelling, and by nothing near it") {
  for (int i = 1; i < static_cast<int>(FieldName::kCount); ++i) {
    const auto name = static_cast<FieldName>(i);
    const std::string text(spelling(name));
    CAPTURE(text);
    REQUIRE_FALSE(text.empty());
    CHECK(known_name(text) == name);
    CHECK(known_name(text + "x") == FieldName::kOther);
    std::string other = text;
    other.back() = other.back() == 'z' ? 'y' : 'z';
    CHECK(known_name(other) == FieldName::kOther);
  }
  CHECK(known_name("") == FieldName::kOther);
  CHECK(spelling(FieldName::kOther).empty());
}

TEST_CASE("headers: fields keep their order through growth, and removed ones are not found") {
  Arena arena;
  HeaderList list(arena);
  for (int i = 0; i < 100; ++i)
    list.add_copy("x-" + std::to_string(i), std::to_string(i * i));
  list.add(FieldName::kHost, "a");
  REQUIRE(list.fields().size() == 101);
  CHECK(list.find("x-99")->value() == "9801");
  CHECK(list.fields()[42].name() == "x-42");
  list.remove("x-99");
  CHECK(list.find("x-99") == nullptr);
  CHECK(list.value(FieldName::kHost) == "a");
  list.set(FieldName::kHost, "b");
  CHECK(list.value(FieldName::kHost) == "b");
  list.remove(FieldName::kHost);
  CHECK(list.find(FieldName::kHost) == nullptr);
  CHECK(list.may_have(FieldName::kHost));
  CHECK_FALSE(list.may_have(FieldName::kTe));
}

TEST_CASE("headers: a copied field does not borrow, and a known name gets its id") {
  Arena arena;
  HeaderList list(arena);
  {
    std::string name = "content-type";
    std::string value = "text/plain";
    list.add_copy(name, value);
    name.assign(name.size(), '#');
    value.assign(value.size(), '#');
  }
  CHECK(list.value(FieldName::kContentType) == "text/plain");
  CHECK(fields_text(list) == "content-type=text/plain");
}

TEST_CASE("headers: reserved fields count only once they are committed") {
  Arena arena;
  HeaderList list(arena);
  list.add(FieldName::kHost, "a");
  Field* room = list.reserve(60);
  for (int i = 0; i < 60; ++i)
    room[i].set(FieldName::kTe, "te", "x");
  CHECK(list.fields().size() == 1);
  list.commit(60, HeaderList::bit(FieldName::kTe), 60 * 7);
  CHECK(list.fields().size() == 61);
  CHECK(list.value(FieldName::kTe) == "x");
  CHECK(list.value(FieldName::kHost) == "a");
}

TEST_CASE("headers: a list knows what its lines take, and a replaced value ends a line") {
  Arena arena;
  HeaderList list(arena);
  list.add_line(FieldName::kVia, "via: 1.1 a\r\n", 3);
  list.add(FieldName::kHost, "b");
  CHECK(list.line_bytes() == 12 + 9);
  Field& via = list.fields()[0];
  REQUIRE(via.is_line());
  CHECK(via.line() == "via: 1.1 a\r\n");
  CHECK_FALSE(list.fields()[1].is_line());
  list.replace(via, "1.1 longer");
  CHECK_FALSE(via.is_line());
  CHECK(via.value() == "1.1 longer");
  CHECK(list.line_bytes() >= via.line_bytes() + list.fields()[1].line_bytes());
}

TEST_CASE("headers: a run ends at the first field that is removed or changed") {
  Arena arena;
  const std::string_view lines = "via: 1.1 a\r\nhost: b\r\naccept: c\r\n";
  const auto read = [&lines](HeaderList& list) {
    Field* field = list.reserve(3);
    field[0].set_line(FieldName::kVia, lines.data(), 3, 5);
    field[1].set_line(FieldName::kHost, lines.data() + 12, 4, 1);
    field[2].set_line(FieldName::kAccept, lines.data() + 21, 6, 1);
    list.commit_run(3,
                    HeaderList::bit(FieldName::kVia) | HeaderList::bit(FieldName::kHost) |
                        HeaderList::bit(FieldName::kAccept),
                    lines.size());
  };
  HeaderList list(arena);
  CHECK(list.run().empty());
  read(list);
  CHECK(list.run().size() == 3);
  for (int i = 0; i < 100; ++i)
    list.add(FieldName::kReferer, "d");  // moves the fields
  CHECK(list.run().size() == 3);
  CHECK(list.run().data() == list.fields().data());
  list.remove(FieldName::kReferer);
  CHECK(list.run().size() == 3);
  list.remove(FieldName::kAccept);
  CHECK(list.run().size() == 2);
  CHECK(list.fields()[2].is_removed());
  list.replace(list.fields()[0], "1.1 e");
  CHECK(list.run().empty());
  list.remove("host");
  CHECK(list.run().empty());
}

TEST_CASE("headers: a copy stays as it was, whatever becomes of the list") {
  Arena arena;
  HeaderList list(arena);
  list.add(FieldName::kHost, "a");
  list.add(FieldName::kCookie, "b=c");
  const HeaderList copy = list.copy();
  list.remove(FieldName::kCookie);
  list.set(FieldName::kHost, "d");
  list.replace(list.fields()[2], "e");
  HeaderList grown = copy.copy();
  grown.add(FieldName::kAccept, "f");
  CHECK(copy.value(FieldName::kHost) == "a");
  CHECK(copy.value(FieldName::kCookie) == "b=c");
  CHECK(copy.find(FieldName::kAccept) == nullptr);
  CHECK(grown.value(FieldName::kHost) == "a");
  CHECK(grown.value(FieldName::kAccept) == "f");
}
