// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::Reader;

namespace {

using Kind = BodyLength::Kind;

[[nodiscard]] std::string taken(Buffer& out) {
  std::string text(out.view());
  out.clear();
  return text;
}

// What a client codec sends for `head` as read by a server codec.
[[nodiscard]] std::string relayed_request(std::string_view head) {
  Reader reader(CodecRole::kServer);
  reader.feed(head);
  REQUIRE(reader.requests() == 1);
  const CodecLimits limits;
  Http1Codec writer(CodecRole::kClient, limits);
  Buffer out;
  writer.write_request_head(reader.request(), out);
  return taken(out);
}

// What a server codec answers after having read `request`.
struct Answer {
  explicit Answer(std::string_view request) : reader(CodecRole::kServer), head(arena) {
    reader.feed(request);
  }
  [[nodiscard]] std::string write() {
    Buffer out;
    reader.codec().write_response_head(head, out);
    return taken(out);
  }
  Reader reader;
  Arena arena;
  ResponseHead head;
};

constexpr std::string_view kGet11 = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kGet10 = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
constexpr std::string_view kGet10Kept =
    "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
constexpr std::string_view kHead11 = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("write: a request goes on with lower-case names, its order, and no hop-by-hop field") {
  CHECK(relayed_request(
            "GET /p?q HTTP/1.1\r\nHost: a\r\nUser-Agent:  x \r\nConnection: keep-alive, X-Hop\r\n"
            "X-Hop: 1\r\nX-EMPTY:\r\nAccept: */*\r\n\r\n") ==
        "GET /p?q HTTP/1.1\r\nhost: a\r\nuser-agent: x\r\nx-empty: \r\naccept: */*\r\n\r\n");
}

TEST_CASE("write: a run of untouched lines is as what was read, wherever it is broken") {
  const std::string head =
      "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nCc:3\r\nD: 4\r\nE:  5\r\nF: 6\r\n\r\n";
  const std::string all[] = {"host: a\r\n", "a: 1\r\n", "b: 2\r\n", "cc: 3\r\n",
                             "d: 4\r\n",    "e: 5\r\n", "f: 6\r\n"};
  for (unsigned removed = 0; removed < 128; ++removed) {
    Reader reader(CodecRole::kServer);
    reader.feed(head);
    RequestHead request = reader.request();
    std::string expected = "GET / HTTP/1.1\r\n";
    if ((removed & 1) != 0) expected += "host: a\r\n";  // from the authority, in front
    for (unsigned i = 0; i < 7; ++i) {
      if ((removed >> i & 1) != 0) {
        request.fields.remove(request.fields.fields()[i]);
      } else {
        expected += all[i];
      }
    }
    const CodecLimits limits;
    Http1Codec writer(CodecRole::kClient, limits);
    Buffer out;
    writer.write_request_head(request, out);
    CHECK(taken(out) == expected + "\r\n");
  }
}

TEST_CASE("write: fields that were added or changed stand beside those that were read") {
  Reader reader(CodecRole::kServer);
  reader.feed("GET / HTTP/1.1\r\nHost: a\r\nCookie: one=1; two=2\r\nAccept: x\r\n\r\n");
  RequestHead request = reader.request();
  Field& cookie = request.fields.fields()[1];
  request.fields.replace(cookie, cookie.value().substr(0, 5));
  request.fields.add_copy("x-request-id", "42");
  request.fields.add(FieldName::kVia, "1.1 limpet");
  const CodecLimits limits;
  Http1Codec writer(CodecRole::kClient, limits);
  Buffer out;
  writer.write_request_head(request, out);
  CHECK(taken(out) ==
        "GET / HTTP/1.1\r\nhost: a\r\ncookie: one=1\r\naccept: x\r\nx-request-id: 42\r\nvia: 1.1 "
        "limpet\r\n\r\n");
}

TEST_CASE("write: the codec frames, whatever the fields say") {
  CHECK(relayed_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nX: y\r\n\r\n") ==
        "POST / HTTP/1.1\r\nhost: a\r\nx: y\r\ncontent-length: 7\r\n\r\n");
  CHECK(relayed_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") ==
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
  CHECK(relayed_request("POST / HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "POST / HTTP/1.1\r\nhost: a\r\n\r\n");
  CHECK(relayed_request("POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n") ==
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  CHECK(relayed_request("GET / HTTP/1.0\r\n\r\n") == "GET / HTTP/1.1\r\nhost: \r\n\r\n");
  CHECK(relayed_request("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n") ==
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: te\r\nte: trailers\r\n\r\n");
}

TEST_CASE("write: an upgrade is offered on, and close stands beside it") {
  Reader reader(CodecRole::kServer);
  reader.feed(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTE: "
      "trailers\r\n\r\n");
  const CodecLimits limits;
  Http1Codec writer(CodecRole::kClient, limits);
  writer.close_after_this();
  Buffer out;
  writer.write_request_head(reader.request(), out);
  CHECK(taken(out) ==
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close, upgrade, te\r\nupgrade: websocket\r\nte: "
        "trailers\r\n\r\n");
}

TEST_CASE("write: a response is framed for the client that asked") {
  Answer known(kGet11);
  known.head.status = 200;
  known.head.body = {Kind::kKnown, 5};
  CHECK(known.write() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  CHECK(known.reader.codec().carries_body());

  Answer none(kGet11);
  none.head.status = 404;
  none.head.reason = "Nowhere";
  CHECK(none.write() == "HTTP/1.1 404 Nowhere\r\ncontent-length: 0\r\n\r\n");
  CHECK_FALSE(none.reader.codec().carries_body());

  Answer chunked(kGet11);
  chunked.head.status = 200;
  chunked.head.body.kind = Kind::kUnknown;
  CHECK(chunked.write() == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");

  Answer unregistered(kGet11);
  unregistered.head.status = 299;
  CHECK(unregistered.write() == "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("write: HTTP/1.0 clients get no chunks, no 1xx, and keep-alive in kind") {
  Answer old(kGet10Kept);
  old.head.status = 200;
  old.head.body.kind = Kind::kUnknown;
  Buffer out;
  ResponseHead hint(old.arena);
  hint.status = 103;
  old.reader.codec().write_informational(hint, out);
  CHECK(out.is_empty());
  CHECK(old.write() == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
  CHECK_FALSE(old.reader.codec().keeps_alive());
  old.reader.codec().write_body_prefix(5, out);
  CHECK(out.is_empty());
  CHECK(old.reader.codec().body_suffix().empty());
  old.reader.codec().write_end(nullptr, out);
  CHECK(out.is_empty());

  Answer kept(kGet10Kept);
  kept.head.status = 200;
  kept.head.body = {Kind::kKnown, 5};
  CHECK(kept.write() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\n");
  Answer closing(kGet10);
  closing.head.status = 200;
  CHECK(closing.write() == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

TEST_CASE(
    "write: HEAD and 304 tell the length as it came and carry nothing, 204 and 101 tell none") {
  Answer head(kHead11);
  head.head.status = 200;
  head.head.fields.add(FieldName::kContentLength, "123");
  CHECK(head.write() == "HTTP/1.1 200 OK\r\ncontent-length: 123\r\n\r\n");
  CHECK_FALSE(head.reader.codec().carries_body());

  Answer unknown(kHead11);
  unknown.head.status = 200;
  unknown.head.body.kind = Kind::kUnknown;
  CHECK(unknown.write() == "HTTP/1.1 200 OK\r\n\r\n");

  Answer not_modified(kGet11);
  not_modified.head.status = 304;
  not_modified.head.body = {Kind::kKnown, 9};
  not_modified.head.fields.add(FieldName::kContentLength, "123");
  CHECK(not_modified.write() == "HTTP/1.1 304 Not Modified\r\ncontent-length: 123\r\n\r\n");
  CHECK_FALSE(not_modified.reader.codec().carries_body());

  Answer no_content(kGet11);
  no_content.head.status = 204;
  no_content.head.fields.add(FieldName::kContentLength, "0");
  CHECK(no_content.write() == "HTTP/1.1 204 No Content\r\n\r\n");

  Answer upgraded("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  upgraded.head.status = 101;
  upgraded.head.upgrade = "websocket";
  upgraded.head.body.kind = Kind::kTunnel;
  upgraded.head.fields.add(FieldName::kSecWebsocketAccept, "x");
  CHECK(upgraded.write() ==
        "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\nconnection: "
        "upgrade\r\nupgrade: websocket\r\n\r\n");
  upgraded.reader.codec().enter_tunnel();
  CHECK(upgraded.reader.codec().carries_body());
  CHECK(upgraded.reader.feed("raw").body() == "raw");
}

TEST_CASE("write: close is said when the connection ends, also after a fault") {
  Answer closing("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  closing.head.status = 200;
  CHECK(closing.write() == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  Answer fault("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n");
  fault.head.status = 400;
  CHECK(fault.write() ==
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  Answer own_field(kGet11);
  own_field.head.status = 200;
  own_field.head.fields.add(FieldName::kConnection, "keep-alive");
  own_field.head.fields.add(FieldName::kTransferEncoding, "gzip");
  CHECK(own_field.write() == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("write: chunks, trailers and the last chunk") {
  Answer answer(kGet11);
  answer.head.status = 200;
  answer.head.body.kind = Kind::kUnknown;
  CHECK_FALSE(answer.write().empty());
  Buffer out;
  Http1Codec& codec = answer.reader.codec();
  codec.write_body_prefix(5, out);
  CHECK(taken(out) == "5\r\n");
  CHECK(codec.body_suffix() == "\r\n");
  codec.write_body_prefix(0x1ab3, out);
  CHECK(taken(out) == "1ab3\r\n");
  HeaderList trailers(answer.arena);
  trailers.add_copy("x-sum", "1");
  trailers.add_copy("x-gone", "2");
  trailers.remove("x-gone");
  codec.write_end(&trailers, out);
  CHECK(taken(out) == "0\r\nx-sum: 1\r\n\r\n");
  codec.write_end(nullptr, out);
  CHECK(out.is_empty());
}

TEST_CASE("write: a message shorter than announced ends the connection") {
  Answer answer(kGet11);
  answer.head.status = 200;
  answer.head.body = {Kind::kKnown, 5};
  CHECK_FALSE(answer.write().empty());
  Buffer out;
  answer.reader.codec().write_body_prefix(3, out);
  answer.reader.codec().write_end(nullptr, out);
  CHECK(out.is_empty());
  CHECK_FALSE(answer.reader.codec().keeps_alive());
}

TEST_CASE("write: informational heads have no framing") {
  Answer answer(kGet11);
  ResponseHead hint(answer.arena);
  hint.status = 103;
  hint.fields.add_copy("link", "</a>");
  Buffer out;
  answer.reader.codec().write_informational(hint, out);
  CHECK(taken(out) == "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
}

TEST_CASE("write: what one codec writes the other reads as the same message, over two exchanges") {
  const CodecLimits limits;
  Http1Codec writer(CodecRole::kClient, limits);
  Reader second_hop(CodecRole::kServer);
  Reader first_hop(CodecRole::kServer);
  for (const char* body : {"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"}) {
    first_hop.feed("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   std::string(body));
    Buffer out;
    writer.write_request_head(first_hop.request(), out);
    writer.write_body_prefix(first_hop.body().size(), out);
    out.append(first_hop.body());
    out.append(writer.body_suffix());
    writer.write_end(nullptr, out);
    second_hop.feed(taken(out));
    CHECK(second_hop.codec().has_read_message());
    CHECK(second_hop.request().target == "/x");
    CHECK(second_hop.body().ends_with(first_hop.body()));
    CHECK(second_hop.pending().empty());
    writer.next_message();
    first_hop.codec().next_message();
    second_hop.codec().next_message();
  }
}
