// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/grpc.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

// A message with its prefix.
std::string framed(const std::string& message) {
  std::string body(5, '\0');
  body[3] = static_cast<char>(message.size() >> 8);
  body[4] = static_cast<char>(message.size());
  return body + message;
}

std::string encoded(std::string_view text) {
  std::string out;
  append_grpc_message(out, text);
  return out;
}

}  // namespace

TEST_CASE("grpc: a call is known by its content type") {
  CHECK(is_grpc("application/grpc"));
  CHECK(is_grpc("application/grpc+proto"));
  CHECK(is_grpc("Application/GRPC+json; charset=utf-8"));
  CHECK(is_grpc("application/grpc ;x=y"));
  CHECK_FALSE(is_grpc("application/grpc-web"));
  CHECK_FALSE(is_grpc("application/grpc-web+proto"));
  CHECK_FALSE(is_grpc("application/grpcx"));
  CHECK_FALSE(is_grpc("application/json"));
  CHECK_FALSE(is_grpc(""));

  Arena arena;
  RequestHead request(arena);
  CHECK_FALSE(is_grpc(request));
  request.fields.add(FieldName::kContentType, "application/grpc+proto");
  CHECK(is_grpc(request));
}

TEST_CASE("grpc: limpet's own answers have the code that clients expect") {
  CHECK(grpc_status_for(400) == GrpcStatus::kInternal);
  CHECK(grpc_status_for(401) == GrpcStatus::kUnauthenticated);
  CHECK(grpc_status_for(403) == GrpcStatus::kPermissionDenied);
  CHECK(grpc_status_for(404) == GrpcStatus::kUnimplemented);
  for (const auto status : std::initializer_list<std::uint16_t>{429, 502, 503}) {
    CHECK(grpc_status_for(status) == GrpcStatus::kUnavailable);
  }
  CHECK(grpc_status_for(504) == GrpcStatus::kDeadlineExceeded);
  for (const auto status : std::initializer_list<std::uint16_t>{408, 413, 431, 500, 501}) {
    CHECK(grpc_status_for(status) == GrpcStatus::kUnknown);
  }
}

TEST_CASE("grpc: the status of an answer is read from its trailers") {
  Arena arena;
  HeaderList trailers(arena);
  CHECK_FALSE(grpc_status_in(trailers).has_value());
  trailers.add_copy("grpc-status", "14");
  CHECK(grpc_status_in(trailers) == 14U);
  HeaderList wrong(arena);
  wrong.add_copy("grpc-status", "OK");
  CHECK_FALSE(grpc_status_in(wrong).has_value());
  HeaderList large(arena);
  large.add_copy("grpc-status", "4294967296");
  CHECK_FALSE(grpc_status_in(large).has_value());
}

TEST_CASE("grpc: a message keeps visible ASCII and encodes the rest") {
  CHECK(encoded("no replica: a~b") == "no replica: a~b");
  CHECK(encoded("100%\r\n\x7f\xc3\xa9") == "100%25%0D%0A%7F%C3%A9");
  CHECK(encoded(std::string(1, '\0')) == "%00");
  CHECK(encoded("").empty());
}

TEST_CASE("grpc: a health check is a message with the service's name, or an empty one") {
  CHECK(grpc_health_request("") == std::string(5, '\0'));
  CHECK(grpc_health_request("a.B") == framed("\x0a\x03"
                                             "a.B"));
  const std::string name(300, 'x');
  CHECK(grpc_health_request(name) == framed("\x0a\xac\x02" + name));
  CHECK(grpc_health_request(std::string(kGrpcServiceBytesMax + 1, 'x')) ==
        grpc_health_request(std::string(kGrpcServiceBytesMax, 'x')));
}

TEST_CASE("grpc: only SERVING is healthy") {
  CHECK(read_grpc_health(framed("\x08\x01")) == GrpcHealth::kServing);
  CHECK(read_grpc_health(framed(std::string("\x08\x00", 2))) == GrpcHealth::kNotServing);
  CHECK(read_grpc_health(framed("\x08\x02")) == GrpcHealth::kNotServing);
  CHECK(read_grpc_health(framed("\x08\x03")) == GrpcHealth::kNotServing);
  CHECK(read_grpc_health(framed("\x08\x81\x02")) == GrpcHealth::kNotServing);  // 257
  CHECK(read_grpc_health(framed("")) == GrpcHealth::kNotServing);              // UNKNOWN
}

TEST_CASE(
    "grpc: a health answer may hold fields that limpet does not know; the last status counts") {
  CHECK(read_grpc_health(framed("\x12\x03"
                                "abc\x1d"
                                "1234\x21"
                                "12345678\x28\x96\x01\x08\x01")) == GrpcHealth::kServing);
  CHECK(read_grpc_health(framed("\x08\x01\x08\x02")) == GrpcHealth::kNotServing);
  CHECK(read_grpc_health(framed("\x0a\x01\x01\x08\x01")) == GrpcHealth::kServing);
  CHECK(read_grpc_health(framed("\x0a\x01\x01")) == GrpcHealth::kNotServing);  // not a varint
}

TEST_CASE("grpc: a health answer is waited for until it is whole") {
  const std::string body = framed("\x08\x01");
  for (std::size_t length = 0; length < body.size(); ++length)
    CHECK(read_grpc_health(body.substr(0, length)) == GrpcHealth::kNeedsMore);
  CHECK(read_grpc_health(body + "x") == GrpcHealth::kMalformed);
}

TEST_CASE("grpc: what is no health answer is malformed") {
  CHECK(read_grpc_health("\x01") == GrpcHealth::kMalformed);  // compressed
  CHECK(read_grpc_health("<html>") == GrpcHealth::kMalformed);
  CHECK(read_grpc_health(std::string("\0\0\0\x03\xfc", 5)) == GrpcHealth::kMalformed);  // too long
  CHECK(read_grpc_health(framed("\x08")) == GrpcHealth::kMalformed);
  CHECK(read_grpc_health(framed("\x08\x81")) == GrpcHealth::kMalformed);
  CHECK(read_grpc_health(framed("\x12\x05"
                                "abc")) == GrpcHealth::kMalformed);
  CHECK(read_grpc_health(framed("\x0b")) == GrpcHealth::kMalformed);  // a group
  CHECK(read_grpc_health(framed("\x0d\x01\x01")) == GrpcHealth::kMalformed);
  CHECK(read_grpc_health(framed(std::string("\x00\x01", 2))) == GrpcHealth::kMalformed);  // field 0
  CHECK(read_grpc_health(framed("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")) ==
        GrpcHealth::kMalformed);
}
