// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/cookie_form.h"

#include <optional>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "tests/support/exchange_fixture.h"

namespace limpet::affinity {
namespace {

std::string cookie(const CookieAttributes& attributes, std::optional<bool> secure,
                   Channel channel) {
  Arena arena;
  return std::string(CookieForm(attributes, secure).setting(arena, "v", channel));
}

CookieAttributes named(std::string name) {
  CookieAttributes attributes;
  attributes.name = std::move(name);
  return attributes;
}

TEST_CASE("Secure goes with the client's side unless it is always or never") {
  CHECK(cookie(named("limpet"), {}, Channel::kPlain) == "limpet=v; Path=/; HttpOnly; SameSite=Lax");
  CHECK(cookie(named("limpet"), {}, Channel::kSecure) ==
        "limpet=v; Path=/; Secure; HttpOnly; SameSite=Lax");
  CHECK(cookie(named("limpet"), true, Channel::kPlain).find("; Secure") != std::string::npos);
  CHECK(cookie(named("limpet"), false, Channel::kSecure).find("; Secure") == std::string::npos);
}

TEST_CASE("a deletion has the same name, path and domain, and no age") {
  CookieAttributes attributes = named("s");
  attributes.prefix = CookiePrefix::kSecure;
  attributes.path = "/app";
  attributes.domain = "example.org";
  attributes.max_age = std::chrono::hours(2);
  Arena arena;
  const CookieForm form(attributes, {});
  CHECK(form.name() == "__Secure-s");
  CHECK(form.deletion(arena, Channel::kSecure) ==
        "__Secure-s=; Path=/app; Domain=example.org; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
}

std::string guarded(std::initializer_list<std::string_view> lines) {
  Arena arena;
  HeaderList fields(arena);
  for (const std::string_view line : lines)
    fields.add(FieldName::kCacheControl, line);
  keep_from_shared_caches(fields);
  const auto left = test::TestExchange::values(fields, "cache-control");
  REQUIRE(left.size() == 1);
  return left.front();
}

TEST_CASE(
    "a response that sets a cookie becomes private, without losing what it says to browsers") {
  CHECK(guarded({}) == "private");
  CHECK(guarded({"max-age=60"}) == "private, max-age=60");
  CHECK(guarded({"Public, max-age=60, S-MaxAge=600"}) == "private, max-age=60");
  CHECK(guarded({"public", "max-age=5"}) == "private, max-age=5");
  CHECK(guarded({"private, max-age=60"}) == "private, max-age=60");
  CHECK(guarded({"no-store"}) == "no-store");
  CHECK(guarded({"no-cache"}) == "private, no-cache");
}

TEST_CASE("a quoted list inside Cache-Control is one directive") {
  CHECK(guarded({"private=\"x-a, public\", max-age=1"}) ==
        "private, private=\"x-a, public\", max-age=1");
  CHECK(guarded({"no-cache=\"open"}) == "private, no-cache=\"open");
}

}  // namespace
}  // namespace limpet::affinity
