// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/answers.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

std::string location(std::string_view to, std::string_view authority, std::string_view query = {}) {
  Arena arena;
  RequestHead request(arena);
  request.authority = authority;
  request.path = "/shop";
  request.query = query;
  return std::string(redirect_location(arena, to, request));
}

TEST_CASE("a redirect leads to the host of the request, without its port") {
  CHECK(location("https://{host}{path}", "a.example") == "https://a.example/shop");
  CHECK(location("https://{host}{path}", "a.example:8080") == "https://a.example/shop");
  CHECK(location("https://{host}{path}", "a.example:") == "https://a.example/shop");
}

TEST_CASE("the colons of an IPv6 address are not a port") {
  CHECK(location("https://{host}:8443{path}", "[::1]") == "https://[::1]:8443/shop");
  CHECK(location("https://{host}{path}", "[::1]:8080") == "https://[::1]/shop");
  CHECK(location("https://{host}{path}", "[2001:db8::2]") == "https://[2001:db8::2]/shop");
}

TEST_CASE("the query of the request comes with its question mark, or not at all") {
  CHECK(location("/new{path}{query}", "a.example", "a=1&b={host}") == "/new/shop?a=1&b={host}");
  CHECK(location("/new{path}{query}", "a.example") == "/new/shop");
}

TEST_CASE("a gRPC call is answered in its own way, whatever body an error was given") {
  Arena arena;
  RequestHead request(arena);
  request.fields.add(FieldName::kContentType, "application/grpc");
  ClientFacts client;
  Exchange exchange(arena, client, request);
  exchange.answer.status = 503;
  exchange.answer.body = "<html>";
  const LocalAnswer error = make_answer(exchange, "now");
  CHECK(error.head->status == 200);
  CHECK(error.body.empty());
  CHECK(error.head->fields.find("grpc-status")->value() == "14");
  exchange.answer.status = 200;
  CHECK(make_answer(exchange, "now").body == "<html>");
}

}  // namespace
}  // namespace limpet
