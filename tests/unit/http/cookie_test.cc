// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/cookie.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;

namespace {

struct Fields {
  explicit Fields(std::initializer_list<const char*> cookies) : list(arena) {
    list.add_copy("host", "a");
    for (const char* cookie : cookies)
      list.add_copy("cookie", cookie);
  }
  Arena arena;
  HeaderList list;
};

[[nodiscard]] std::string scanned(std::initializer_list<const char*> cookies,
                                  std::string_view name = "limpet") {
  const Fields fields(cookies);
  CookieScan scan(fields.list, name);
  std::string all;
  while (const auto value = scan.next())
    all.append("[").append(*value).append("]");
  return all;
}

[[nodiscard]] std::string without(std::initializer_list<const char*> cookies) {
  Fields fields(cookies);
  const std::size_t removed = remove_cookie(fields.list, "limpet");
  return std::to_string(removed) + " " + fields_text(fields.list);
}

}  // namespace

TEST_CASE("cookie: all values of a name are found, over several fields") {
  CHECK(scanned({}).empty());
  CHECK(scanned({"limpet=a"}) == "[a]");
  CHECK(scanned({"x=1; limpet=a; y=2;limpet=b", "limpet=c"}) == "[a][b][c]");
  CHECK(scanned({"limpet="}) == "[]");
  CHECK(scanned({"limpet=a=b=="}) == "[a=b==]");
  CHECK(scanned({"limpet=\"a\""}) == "[\"a\"]");
  CHECK(scanned({" limpet = a "}) == "[a]");
  CHECK(scanned({"limpet", "", ";", ";;limpet=a;"}) == "[a]");
}

TEST_CASE("cookie: names near it are others") {
  CHECK(scanned({"xlimpet=a; limpetx=b; Limpet=c; limpe=d; x=limpet=e; =limpet"}).empty());
  CHECK(scanned({"__Host-limpet=a"}).empty());
  CHECK(scanned({"__Host-limpet=a"}, "__Host-limpet") == "[a]");
}

TEST_CASE("cookie: a removed field is not scanned") {
  Fields fields({"limpet=a"});
  fields.list.remove(FieldName::kCookie);
  CookieScan scan(fields.list, "limpet");
  CHECK_FALSE(scan.next().has_value());
}

TEST_CASE("cookie: what remains stays octet for octet") {
  CHECK(without({"limpet=a"}) == "1 host=a");
  CHECK(without({"x=1; limpet=a; y=2"}) == "1 host=a|cookie=x=1; y=2");
  CHECK(without({"limpet=a; y=2"}) == "1 host=a|cookie=y=2");
  CHECK(without({"x=1; limpet=a"}) == "1 host=a|cookie=x=1");
  CHECK(without({"x=1;limpet=a;y=2"}) == "1 host=a|cookie=x=1;y=2");
  CHECK(without({"x= \"1 ;  odd ;;limpet=a;=; y=\xff"}) ==
        "1 host=a|cookie=x= \"1 ;  odd ;;=; y=\xff");
  CHECK(without({"limpet=a; limpet=b; limpet=c"}) == "3 host=a");
  CHECK(without({"limpet=a; limpet=b; z", "limpet=c", "q"}) == "3 host=a|cookie=z|cookie=q");
  CHECK(without({"limpet=a; "}) == "1 host=a");
  CHECK(without({";a=1; limpet=b"}) == "1 host=a|cookie=;a=1");
  CHECK(without({"x=1", "mylimpet=2"}) == "0 host=a|cookie=x=1|cookie=mylimpet=2");
  CHECK(without({}) == "0 host=a");
}

TEST_CASE("cookie: attributes are written as they are set") {
  CookieAttributes cookie;
  cookie.name = "limpet";
  CHECK(attributes_text(cookie) == "; Path=/; HttpOnly; SameSite=Lax");
  cookie.path = "/app";
  cookie.domain = "example.org";
  cookie.max_age = std::chrono::hours(2);
  cookie.is_secure = true;
  cookie.same_site = SameSite::kStrict;
  CHECK(attributes_text(cookie) ==
        "; Path=/app; Domain=example.org; Max-Age=7200; Secure; HttpOnly; SameSite=Strict");
  cookie = {};
  cookie.name = "limpet";
  cookie.is_http_only = false;
  cookie.same_site = SameSite::kUnset;
  CHECK(attributes_text(cookie) == "; Path=/");
  CHECK(full_name(cookie) == "limpet");
}

TEST_CASE("cookie: what browsers couple comes together") {
  CookieAttributes cookie;
  cookie.name = "limpet";
  cookie.same_site = SameSite::kNone;
  CHECK(attributes_text(cookie) == "; Path=/; Secure; HttpOnly; SameSite=None");
  cookie.is_partitioned = true;
  cookie.same_site = SameSite::kLax;
  CHECK(attributes_text(cookie) == "; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned");
  cookie = {};
  cookie.name = "limpet";
  cookie.prefix = CookiePrefix::kSecure;
  CHECK(full_name(cookie) == "__Secure-limpet");
  CHECK(attributes_text(cookie) == "; Path=/; Secure; HttpOnly; SameSite=Lax");
  cookie.prefix = CookiePrefix::kHost;
  cookie.path = "/app";
  cookie.domain = "example.org";
  CHECK(full_name(cookie) == "__Host-limpet");
  CHECK(attributes_text(cookie) == "; Path=/; Secure; HttpOnly; SameSite=Lax");
}

TEST_CASE("cookie: a minted value is name, value and attributes") {
  Arena arena;
  CHECK(mint_set_cookie(arena, "limpet", "abc", "; Path=/") == "limpet=abc; Path=/");
  CHECK(is_cookie_name("limpet"));
  CHECK_FALSE(is_cookie_name("a b"));
  CHECK_FALSE(is_cookie_name(""));
  CHECK_FALSE(is_cookie_name("a=b"));
  CHECK(is_cookie_value("aZ09-_~=!"));
  CHECK(is_cookie_value(""));
  for (const char* wrong : {"a b", "a;b", "a,b", "a\"b", "a\\b", "a\tb", "\x7f", "\xc3\xa4"}) {
    CHECK_FALSE(is_cookie_value(wrong));
  }
}
