// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/json.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

bool is_object(std::string_view json) {
  std::vector<JsonMember> members;
  return read_members(json, members);
}

TEST_CASE("members are views of the text, keys without their escapes") {
  const std::string json =
      " { \"a\" : [1, {\"b\":2}] , \"m\\u0065thod\":\"p\\u0069ng\" , \"n\": -1.5e3 , \"t\":true, "
      "\"z\":null , \"o\" : {\"x\":\"}\"} } ";
  std::vector<JsonMember> members;
  REQUIRE(read_members(json, members));
  REQUIRE(members.size() == 6);
  CHECK(find(members, "a")->raw == "[1, {\"b\":2}]");
  CHECK(find(members, "method")->raw == "\"p\\u0069ng\"");
  CHECK(text_of(members, "method") == "ping");
  CHECK(find(members, "n")->raw == "-1.5e3");
  CHECK(find(members, "t")->kind == JsonKind::kBoolean);
  CHECK(find(members, "z")->kind == JsonKind::kNull);
  CHECK(find(members, "o")->raw == "{\"x\":\"}\"}");
  CHECK(find(members, "a")->raw.data() >= json.data());
  CHECK(find(members, "a")->raw.data() < json.data() + json.size());
  CHECK(find(members, "missing") == nullptr);
}

TEST_CASE("what is not one whole object is none") {
  CHECK(is_object("{}"));
  CHECK_FALSE(is_object(""));
  CHECK_FALSE(is_object("[]"));
  CHECK_FALSE(is_object("3"));
  CHECK_FALSE(is_object("{\"a\":1"));
  CHECK_FALSE(is_object("{\"a\":1}}"));
  CHECK_FALSE(is_object("{\"a\":1} {}"));
  CHECK_FALSE(is_object("{\"a\":tru}"));
  CHECK_FALSE(is_object("{\"a\":01x}"));
  CHECK_FALSE(is_object("{\"a\":\"\xff\"}"));
}

TEST_CASE("a key that stands twice is refused, however it is written") {
  CHECK_FALSE(is_object(R"({"method":"ping","method":"tools/call"})"));
  CHECK_FALSE(is_object(R"({"method":"ping","meth\u006fd":"tools/call"})"));
}

TEST_CASE("a level has a bound") {
  std::string object = "{";
  for (std::size_t i = 0; i <= kJsonMembersMax; ++i)
    object += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  CHECK_FALSE(is_object(object + "}"));
  std::string array = "[0";
  for (std::size_t i = 0; i < kJsonItemsMax; ++i)
    array += ",0";
  std::vector<JsonItem> items;
  CHECK_FALSE(read_items(array + "]", items));
  REQUIRE(read_items("[1,\"b\" ,[2]]", items));
  CHECK(items.size() == 3);
  CHECK(items[1].raw == "\"b\"");
}

TEST_CASE("numbers are whole or none") {
  std::vector<JsonItem> items;
  REQUIRE(read_items("[-32001, 1.5, \"7\", 99999999999999999999999]", items));
  CHECK(number_of(items[0]) == -32001);
  CHECK_FALSE(number_of(items[1]).has_value());
  CHECK_FALSE(number_of(items[2]).has_value());
  CHECK_FALSE(number_of(items[3]).has_value());
}

TEST_CASE("numbers and texts are compared by value, however they are written") {
  for (const auto& [a, b] :
       std::vector<std::pair<std::string, std::string>>{{"1", "1"},
                                                        {"1", "1.0"},
                                                        {"10", "1e1"},
                                                        {"10", "1.00E+1"},
                                                        {"0.5", "5e-1"},
                                                        {"0", "-0"},
                                                        {"0", "0e999999999999999999999"},
                                                        {"-7", "-7.0"},
                                                        {"9007199254740993", "9007199254740993.0"},
                                                        {"1e400", "10e399"},
                                                        {R"("1")", R"("\u0031")"},
                                                        {R"("a/b")", R"("a\/b")"},
                                                        {R"("\u00e9")", "\"\xc3\xa9\""},
                                                        {R"("\n")", R"("\u000a")"}}) {
    CHECK_MESSAGE(is_same_value(a, b), a << " " << b);
    CHECK_MESSAGE(is_same_value(b, a), b << " " << a);
  }
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"1", "2"},
           {"1", "10"},
           {"1", "-1"},
           {"1", "1.5"},
           {"1e5", "1e-5"},
           {"9007199254740993", "9007199254740992.0"},
           {"1e9", "1e99999999999999999999"},
           {"1e99999999999999999999", "1e-99999999999999999999"},
           {"1", R"("1")"},
           {R"("1")", R"("1 ")"},
           {R"("\\")", R"("\\\\")"},
           {R"("\u0041")", R"("a")"},
           {"", "0"},
           {"", R"("")"}}) {
    CHECK_MESSAGE(!is_same_value(a, b), a << " " << b);
    CHECK_MESSAGE(!is_same_value(b, a), b << " " << a);
  }
}

TEST_CASE("a quoted text reads back as the same") {
  const std::string text = "a\"b\\c\n\x01 \xe4\xb8\x96";
  std::string quoted;
  append_quoted(quoted, text);
  CHECK(text_of(JsonItem{JsonKind::kText, quoted}) == text);
}

}  // namespace
}  // namespace limpet::mcp
