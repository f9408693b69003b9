// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_names.h"

#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

using Set = std::vector<std::size_t>;
constexpr int kRsa = 6;
constexpr int kEc = 408;

const std::vector<std::string> kFirst = {"a.example", "*.a.example"};
const std::vector<std::string> kSecond = {"b.example", "www.a.example"};
const std::vector<std::string> kThird = {"b.example", "a.example"};

Set set_for(const TlsNames& names, std::string_view name) { return names.sets()[names.find(name)]; }

}  // namespace

TEST_CASE("a server name is found exactly, then by wildcard, then by nothing") {
  const std::array<TlsNames::Entry, 2> entries = {{{kFirst, kEc}, {kSecond, kEc}}};
  const TlsNames names(entries);
  CHECK(set_for(names, "a.example") == Set{0});
  CHECK(set_for(names, "b.example") == Set{1});
  CHECK(set_for(names, "www.a.example") == Set{1});
  CHECK(set_for(names, "x.a.example") == Set{0});
  CHECK(set_for(names, "B.Example.") == Set{1});
  for (const char* other : {"", ".", "c.example", "x.b.example", ".b.example", "example"})
    CHECK(set_for(names, other) == Set{0});
  CHECK(names.find(std::string(300, 'b') + ".b.example") == 0);
}

TEST_CASE("a wildcard stands for one label only") {
  const std::vector<std::string> wild = {"*.b.example", "*", "*.example", "b*.example"};
  const std::vector<std::string> first = {"a.test"};
  const std::array<TlsNames::Entry, 2> entries = {{{first, kEc}, {wild, kEc}}};
  const TlsNames names(entries);
  CHECK(set_for(names, "x.b.example") == Set{1});
  for (const char* other : {"y.x.b.example", "b.example", "c.example", "x", "*.b.example.test"})
    CHECK(set_for(names, other) == Set{0});
}

TEST_CASE("certificates with different kinds of key stand side by side for the same name") {
  const std::array<TlsNames::Entry, 2> entries = {{{kFirst, kEc}, {kThird, kRsa}}};
  const TlsNames names(entries);
  CHECK(set_for(names, "a.example") == Set{0, 1});
  CHECK(set_for(names, "b.example") == Set{1});
  CHECK(set_for(names, "x.a.example") == Set{0});
  CHECK(set_for(names, "unknown.test") == Set{0, 1});
  CHECK(names.shadowed().empty());
}

TEST_CASE("of two certificates with one name and one kind of key the first is served") {
  const std::array<TlsNames::Entry, 3> entries = {{{kSecond, kEc}, {kThird, kEc}, {kThird, kRsa}}};
  const TlsNames names(entries);
  CHECK(set_for(names, "b.example") == Set{0, 2});
  CHECK(set_for(names, "a.example") == Set{1, 2});
  REQUIRE(names.shadowed().size() == 1);
  CHECK(names.shadowed()[0].entry == 1);
  CHECK(names.shadowed()[0].by == 0);
  CHECK(names.shadowed()[0].name == "b.example");
}
