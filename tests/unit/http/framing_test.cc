// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/framing.h"

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;

namespace {

using Kind = BodyLength::Kind;

struct Fields {
  Fields() : list(arena) {}
  Arena arena;
  HeaderList list;
};

struct Framing {
  BodyLength body;
  Refusal refusal;
};

[[nodiscard]] Framing of_request(const Fields& fields) {
  Framing framing;
  framing.refusal = request_framing(fields.list, HttpVersion::kHttp11, framing.body);
  return framing;
}

[[nodiscard]] Framing of_response(std::uint16_t status, std::string_view length,
                                  std::string_view coding, Method method = Method::kGet,
                                  HttpVersion version = HttpVersion::kHttp11) {
  Fields fields;
  if (!length.empty()) fields.list.add(FieldName::kContentLength, length);
  if (!coding.empty()) fields.list.add(FieldName::kTransferEncoding, coding);
  Framing framing;
  framing.refusal = response_framing(fields.list, version, status, method, framing.body);
  return framing;
}

}  // namespace

TEST_CASE(
    "framing: a request without a length has no body, a response without one ends with the "
    "connection") {
  Fields none;
  CHECK(of_request(none).body.kind == Kind::kNone);
  const Framing response = of_response(200, "", "");
  CHECK(response.body.kind == Kind::kUnknown);
}

TEST_CASE("framing: the largest length is 2^63-1") {
  Fields fields;
  fields.list.add(FieldName::kContentLength, "9223372036854775807");
  const Framing framing = of_request(fields);
  CHECK_FALSE(framing.refusal.is_refused());
  CHECK(framing.body.bytes == 0x7fffffffffffffff);
}

TEST_CASE("framing: a removed length is no length") {
  Fields fields;
  fields.list.add(FieldName::kContentLength, "5");
  fields.list.add(FieldName::kContentLength, "6");
  fields.list.remove(FieldName::kContentLength);
  fields.list.add(FieldName::kContentLength, "7");
  CHECK(of_request(fields).body.bytes == 7);
}

TEST_CASE("framing: 1xx, 204, 304 and the answer to HEAD have no body, whatever they say") {
  CHECK(of_response(204, "5", "").body.kind == Kind::kNone);
  CHECK(of_response(304, "5", "").body.kind == Kind::kNone);
  CHECK(of_response(304, "", "chunked").body.kind == Kind::kNone);
  CHECK(of_response(100, "5", "").body.kind == Kind::kNone);
  CHECK(of_response(200, "5", "", Method::kHead).body.kind == Kind::kNone);
  CHECK(of_response(200, "", "chunked", Method::kHead).body.kind == Kind::kNone);
  CHECK(of_response(200, "5", "").body.bytes == 5);
  CHECK(of_response(205, "", "").body.kind == Kind::kUnknown);
}

TEST_CASE("framing: an upgrade and an accepted CONNECT are tunnels, a refused CONNECT is not") {
  CHECK(of_response(101, "", "").body.kind == Kind::kTunnel);
  CHECK(of_response(200, "5", "", Method::kConnect).body.kind == Kind::kTunnel);
  CHECK(of_response(407, "5", "", Method::kConnect).body.bytes == 5);
}

TEST_CASE("framing: a response is refused for what a request is refused for") {
  CHECK(of_response(200, "5", "chunked").refusal.is_refused());
  CHECK(of_response(200, "5, 5", "").refusal.is_refused());
  CHECK(of_response(200, "", "gzip").refusal.is_refused());
  CHECK(of_response(200, "", "gzip, chunked").refusal.is_refused());
  CHECK(of_response(200, "", "chunked", Method::kGet, HttpVersion::kHttp10).refusal.is_refused());
  CHECK(of_response(204, "5", "chunked").refusal.is_refused());
}

TEST_CASE("framing: trailers may say what the head did not decide by") {
  Arena arena;
  HeaderList list(arena);
  for (const char* allowed :
       {"x-checksum", "etag", "server-timing", "grpc-status", "digest", "x-contents"}) {
    list.add_copy(allowed, "1");
    CHECK(is_trailer_allowed(list.fields().back()));
  }
  for (const char* forbidden : {"content-length",
                                "transfer-encoding",
                                "host",
                                "content-type",
                                "content-encoding",
                                "content-range",
                                "trailer",
                                "connection",
                                "te",
                                "upgrade",
                                "keep-alive",
                                "authorization",
                                "cookie",
                                "set-cookie",
                                "expect",
                                "cache-control",
                                "location",
                                "www-authenticate",
                                "proxy-authenticate",
                                "proxy-connection",
                                "range",
                                "if-match",
                                "max-forwards",
                                "x-forwarded-for",
                                "x-forwarded-user",
                                "forwarded",
                                "via",
                                "date",
                                "mcp-session-id",
                                "limpet-affinity",
                                "limpet-anything",
                                "vary",
                                "expires",
                                "age"}) {
    CAPTURE(forbidden);
    list.add_copy(forbidden, "1");
    CHECK_FALSE(is_trailer_allowed(list.fields().back()));
  }
}
