// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;
using limpet::test::Reader;
using limpet::test::said_about;

namespace {

constexpr std::string_view kChunkedPost =
    "POST /up?x=1 HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nTransfer-Encoding: "
    "chunked\r\nX-A: 1\r\n\r\n"
    "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\nContent-Length: 9\r\nEtag: \"x\"\r\n\r\n";

[[nodiscard]] Reader client(Method method = Method::kGet, std::string_view upgrade = {}) {
  Reader reader(CodecRole::kClient);
  reader.ask(method, upgrade);
  return reader;
}

}  // namespace

TEST_CASE("codec: a request is read whole, its hop-by-hop fields are gone") {
  Reader reader(CodecRole::kServer);
  reader.feed(kChunkedPost);
  CHECK(reader.said() == "request POST /up?x=1 unknown; body; trailers x-sum=11|etag=\"x\"; end; ");
  CHECK(reader.body() == "hello world");
  CHECK(reader.request().method == Method::kPost);
  CHECK(reader.request().path == "/up");
  CHECK(reader.request().query == "x=1");
  CHECK(reader.request().accepts_trailers);
  CHECK(fields_text(reader.request().fields) == "host=a.example|x-a=1");
  CHECK(reader.codec().has_read_message());
  CHECK(reader.codec().keeps_alive());
}

TEST_CASE("codec: any cut of the bytes in two gives the same events") {
  for (const std::string_view all :
       {kChunkedPost,
        std::string_view("\r\nPUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
        std::string_view("GET / HTTP/1.1\r\nHost: a\r\nX: y\nz\r\n\r\n")}) {
    const std::string expected = Reader(CodecRole::kServer).feed(all).said();
    Reader bytewise(CodecRole::kServer);
    CHECK(bytewise.feed_bytewise(all).said() == expected);
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      Reader halves(CodecRole::kServer);
      CHECK(halves.feed(all.substr(0, cut)).feed(all.substr(cut)).said() == expected);
    }
  }
}

TEST_CASE("codec: an incomplete head uses nothing and tells that it has begun") {
  Reader reader(CodecRole::kServer);
  CHECK(reader.codec().is_between_messages());
  reader.feed("GET / HT");
  CHECK(reader.pending() == "GET / HT");
  CHECK(reader.codec().is_in_head());
  CHECK_FALSE(reader.codec().is_between_messages());
  reader.feed("TP/1.1\r\nHost: a\r\n\r\n");
  CHECK(reader.pending().empty());
  CHECK_FALSE(reader.codec().is_in_head());
  CHECK(reader.said() == "request GET / none; end; ");
}

TEST_CASE("codec: pipelined requests wait for next_message") {
  Reader reader(CodecRole::kServer);
  const std::string_view second = "\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  reader.feed("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").feed(second);
  CHECK(reader.said() == "request POST /1 2; body; end; ");
  CHECK(reader.pending() == second);
  reader.codec().next_message();
  CHECK(reader.codec().is_between_messages());
  reader.feed({});
  CHECK(reader.pending().empty());
  CHECK(reader.request().target == "/2");
  CHECK(reader.requests() == 2);
}

TEST_CASE("codec: the empty line before a request line is used at once and begins no head") {
  Reader reader(CodecRole::kServer);
  reader.feed("\r");
  CHECK(reader.codec().is_in_head());
  reader.feed("\n");
  CHECK(reader.pending().empty());
  CHECK(reader.codec().is_between_messages());
}

TEST_CASE("codec: after a fault everything is used and nothing is said") {
  Reader reader(CodecRole::kServer);
  reader.feed("GET / HTTP/1.1\r\nBad Name: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  reader.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").end();
  CHECK(reader.said() == "fault 400; ");
  CHECK(reader.pending().empty());
  CHECK_FALSE(reader.codec().keeps_alive());
  reader.codec().next_message();
  CHECK(reader.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").said() == "fault 400; ");
}

TEST_CASE("codec: keep-alive is the default of 1.1 and the exception of 1.0") {
  const auto keeps = [](std::string_view start, std::string_view connection) {
    Reader reader(CodecRole::kServer);
    reader.feed(std::string(start) + "\r\nHost: a\r\n" + std::string(connection) + "\r\n");
    return reader.codec().keeps_alive();
  };
  CHECK(keeps("GET / HTTP/1.1", ""));
  CHECK_FALSE(keeps("GET / HTTP/1.1", "Connection: close\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1", "Connection: keep-alive, Close\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0", ""));
  CHECK(keeps("GET / HTTP/1.0", "Connection: Keep-Alive\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST_CASE("codec: close_after_this outlives what the next head says") {
  Reader reader(CodecRole::kServer);
  reader.codec().close_after_this();
  reader.feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  CHECK_FALSE(reader.codec().keeps_alive());
}

TEST_CASE("codec: only a websocket upgrade of a 1.1 GET without body is one") {
  const auto upgrade = [](std::string_view head) {
    Reader reader(CodecRole::kServer);
    reader.feed(head);
    REQUIRE(reader.fault() == Fault::kNone);
    CHECK(reader.request().fields.find(FieldName::kUpgrade) == nullptr);
    return std::string(reader.request().upgrade);
  };
  CHECK(upgrade("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
                "WebSocket\r\n\r\n") == "websocket");
  CHECK(
      upgrade(
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo, websocket\r\n\r\n") ==
      "websocket");
  CHECK(upgrade("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").empty());
  CHECK(
      upgrade("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"
              "HTTP2-Settings: AAMAAABk\r\n\r\n")
          .empty());
  CHECK(upgrade("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: xwebsocket\r\n\r\n")
            .empty());
  CHECK(upgrade("GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            .empty());
  CHECK(upgrade("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            .empty());
  CHECK(upgrade("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: upgrade\r\nUpgrade: "
                "websocket\r\n\r\nx")
            .empty());
}

TEST_CASE("codec: Expect asks for a 100 only where there is a body to wait for and a 1.1 client") {
  const auto expects = [](std::string_view version, std::string_view field) {
    Reader reader(CodecRole::kServer);
    reader.feed("POST / " + std::string(version) + "\r\nHost: a\r\nExpect: 100-Continue\r\n" +
                std::string(field) + "\r\n");
    REQUIRE(reader.fault() == Fault::kNone);
    CHECK((reader.request().fields.find(FieldName::kExpect) != nullptr) ==
          reader.request().expects_continue);
    return reader.request().expects_continue;
  };
  CHECK(expects("HTTP/1.1", "Content-Length: 1\r\n"));
  CHECK(expects("HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
  CHECK_FALSE(expects("HTTP/1.1", ""));
  CHECK_FALSE(expects("HTTP/1.0", "Content-Length: 1\r\n"));
}

TEST_CASE("codec: the end of the bytes") {
  CHECK(Reader(CodecRole::kServer).end().said().empty());
  CHECK(Reader(CodecRole::kServer).feed("GET ").end().said() == "fault 400; ");
  Reader in_body(CodecRole::kServer);
  in_body.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel").end();
  CHECK(in_body.fault() == Fault::kTruncated);
  Reader in_trailers(CodecRole::kServer);
  in_trailers.feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n").end();
  CHECK(in_trailers.fault() == Fault::kTruncated);
  Reader done(CodecRole::kServer);
  CHECK(done.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").end().said() == "request GET / none; end; ");
}

TEST_CASE("codec: a response is read whole, in each framing") {
  Reader known = client();
  known.feed(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Own: "
      "2\r\n\r\nhello");
  CHECK(known.said() == "response 200 5; body; end; ");
  CHECK(fields_text(known.response().fields) == "content-length=5|x-own=2");
  CHECK(known.response().reason == "OK");
  CHECK(known.codec().keeps_alive());

  Reader chunked = client();
  chunked.feed("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n");
  CHECK(chunked.said() == "response 200 unknown; body; trailers x-t=1; end; ");
  CHECK(chunked.codec().keeps_alive());

  Reader until_close = client();
  until_close.feed("HTTP/1.1 200 OK\r\n\r\nsome").feed(" more");
  CHECK_FALSE(until_close.codec().keeps_alive());
  CHECK(until_close.end().said() == "response 200 unknown; body; end; ");
  CHECK(until_close.body() == "some more");

  Reader old = client();
  CHECK(old.feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").said() ==
        "response 200 none; end; ");
  CHECK_FALSE(old.codec().keeps_alive());
  Reader old_kept = client();
  old_kept.feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(old_kept.codec().keeps_alive());
}

TEST_CASE(
    "codec: responses without a body end with their head, and what follows spoils the connection") {
  for (const char* head : {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
                           "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"}) {
    Reader reader = client();
    reader.feed(std::string(head) + "hello");
    CHECK(reader.said().ends_with(" none; end; "));
    CHECK(reader.pending() == "hello");
    CHECK_FALSE(reader.codec().keeps_alive());
  }
  Reader head = client(Method::kHead);
  head.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  CHECK(head.said() == "response 200 none; end; ");
  CHECK(head.response().fields.value(FieldName::kContentLength) == "5");
  CHECK(head.codec().keeps_alive());
}

TEST_CASE("codec: a second response is never read, at once or later") {
  Reader at_once = client();
  at_once.feed(
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(at_once.said() == "response 200 none; end; ");
  CHECK_FALSE(at_once.codec().keeps_alive());
  Reader later = client();
  later.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(later.codec().keeps_alive());
  later.feed("H");
  CHECK_FALSE(later.codec().keeps_alive());
  Reader unasked(CodecRole::kClient);
  CHECK(unasked.feed("HTTP/1.1 408 Request Timeout\r\n\r\n").fault() == Fault::kBadResponse);
  Reader idle = client();
  idle.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  idle.codec().next_message();
  CHECK(idle.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").fault() == Fault::kBadResponse);
}

TEST_CASE("codec: informational responses come before the final one, and not without end") {
  Reader reader = client();
  reader.feed(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(reader.said() ==
        "informational 100 none; informational 103 none; response 200 none; end; ");
  Reader flood = client();
  for (int i = 0; i < 40; ++i)
    flood.feed("HTTP/1.1 102 Processing\r\n\r\n");
  CHECK(flood.fault() == Fault::kBadResponse);
}

TEST_CASE("codec: 101 is taken only as the answer to what was asked") {
  constexpr std::string_view kSwitch =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
  Reader asked = client(Method::kGet, "websocket");
  asked.feed(std::string(kSwitch) +
             "\x81\x01"
             "a");
  CHECK(asked.said() == "response 101 tunnel; ");
  CHECK(asked.response().upgrade == "websocket");
  CHECK(asked.pending() ==
        "\x81\x01"
        "a");
  asked.codec().enter_tunnel();
  CHECK(asked.feed("b").end().said() == "response 101 tunnel; body; end; ");
  CHECK(asked.body() ==
        "\x81\x01"
        "ab");

  CHECK(client().feed(kSwitch).fault() == Fault::kBadResponse);
  CHECK(client(Method::kGet, "websocket")
            .feed("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            .fault() == Fault::kBadResponse);
  CHECK(
      client(Method::kGet, "websocket").feed("HTTP/1.1 101 Switching Protocols\r\n\r\n").fault() ==
      Fault::kBadResponse);
  CHECK(client(Method::kGet, "websocket")
            .feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .said() == "response 200 none; end; ");
}

TEST_CASE("codec: a replica's breach of the rules is a bad response, whatever rule it was") {
  for (const char* bad :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 5\n\n", "HTTP/2.0 200 OK\r\n\r\n", "SSH-2.0", "HTTQ",
        "HTTP/2", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"}) {
    CAPTURE(bad);
    Reader reader = client();
    CHECK(reader.feed(bad).fault() == Fault::kBadResponse);
    CHECK_FALSE(reader.codec().keeps_alive());
  }
  Reader cut = client();
  CHECK(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel").end().fault() ==
        Fault::kTruncated);
  Reader cut_chunk = client();
  CHECK(cut_chunk.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            .end()
            .fault() == Fault::kTruncated);
  CHECK(client().end().said().empty());
}

TEST_CASE("codec: limits are kept over any cut, and before the head is whole") {
  CodecLimits limits;
  limits.request_line_bytes = 40;
  limits.header_bytes = 200;
  limits.header_fields = 4;
  const auto both_ways = [&limits](std::string_view bytes) {
    Reader bytewise(CodecRole::kServer, limits);
    const std::string said = Reader(CodecRole::kServer, limits).feed(bytes).said();
    CHECK(bytewise.feed_bytewise(bytes).said() == said);
    return said;
  };
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  CHECK(both_ways("GET /" + std::string(26, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n")
            .starts_with("request"));
  CHECK(both_ways("GET /" + std::string(27, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "fault 414; ");
  CHECK(both_ways("GET /" + std::string(100, 'x')) == "fault 414; ");
  CHECK(both_ways(start + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n").starts_with("request"));
  CHECK(both_ways(start + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n") == "fault 431; ");
  CHECK(both_ways(start + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4") == "fault 431; ");
  CHECK(both_ways(start + "A: " + std::string(130, 'x') + "\r\n\r\n").starts_with("request"));
  CHECK(both_ways(start + "A: " + std::string(131, 'x') + "\r\n\r\n") == "fault 431; ");
  CHECK(both_ways(start + "A: " + std::string(300, 'x')) == "fault 431; ");
  CHECK(both_ways(start + "A:" + std::string(300, ' ')) == "fault 431; ");
}

TEST_CASE("codec: trailers come out of what the head left of the limits") {
  CodecLimits limits;
  limits.header_bytes = 200;
  limits.header_fields = 4;
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  CHECK(said_about(start + "A: 1\r\nB: 2\r\n\r\n", limits).ends_with("trailers a=1|b=2; end; "));
  CHECK(said_about(start + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits).ends_with("fault 431; "));
  CHECK(said_about(start + "A: " + std::string(74, 'x') + "\r\n\r\n", limits).ends_with("end; "));
  CHECK(said_about(start + "A: " + std::string(75, 'x') + "\r\n\r\n", limits)
            .ends_with("fault 431; "));
  CHECK(said_about(start + "A: " + std::string(300, 'x'), limits).ends_with("fault 431; "));
}

TEST_CASE("codec: trailers of a message whose exchange is over are judged and dropped") {
  const std::string_view start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  Reader reader(CodecRole::kServer);
  reader.feed(start);
  reader.codec().forget_arena();
  CHECK(reader.feed("0\r\nX: y\r\n\r\n").said() == "request POST / unknown; end; ");
  Reader bad(CodecRole::kServer);
  bad.feed(start);
  bad.codec().forget_arena();
  CHECK(bad.feed("0\r\nX: y\n\r\n").fault() == Fault::kBadRequest);
}

TEST_CASE("codec: a head of more fields than any limit allows is refused, not overrun") {
  CodecLimits limits;
  limits.header_bytes = 1 << 20;
  limits.header_fields = 100000;
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 1023; ++i)
    head += "A:\r\n";
  CHECK(said_about(head + "\r\n", limits).starts_with("request"));
  CHECK(said_about(head + "A:\r\n\r\n", limits) == "fault 431; ");
}

TEST_CASE("codec: limits that a reload lowers within a message hold, and nothing is overrun") {
  CodecLimits lower;
  lower.header_fields = 8;
  const auto fields = [](std::size_t count) {
    std::string lines;
    for (std::size_t i = 0; i < count; ++i)
      lines += "A:\r\n";
    return lines;
  };
  Reader in_head(CodecRole::kServer);
  in_head.feed("GET / HTTP/1.1\r\nHost: a\r\n" + fields(40)).limit(lower);
  CHECK(in_head.feed(fields(4000) + "\r\n").said() == "fault 431; ");
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  Reader before_trailers(CodecRole::kServer);
  before_trailers.feed("POST / HTTP/1.1\r\nHost: a\r\n" + chunked + fields(40) + "\r\n");
  before_trailers.limit(lower);
  CHECK(before_trailers.feed("0\r\n" + fields(4000) + "\r\n").said() ==
        "request POST / unknown; fault 431; ");
  lower.header_bytes = 1024;
  Reader of_replica(CodecRole::kClient);
  of_replica.ask().feed("HTTP/1.1 200 OK\r\n" + chunked + fields(90) + "\r\n").limit(lower);
  CHECK(of_replica.feed("0\r\n\r\n").said() == "response 200 unknown; end; ");
  of_replica.codec().next_message();
  of_replica.limit({}).ask().feed("HTTP/1.1 200 OK\r\n" + chunked + fields(90) + "\r\n");
  CHECK(of_replica.limit(lower).feed("0\r\n" + fields(4000) + "\r\n").fault() ==
        Fault::kBadResponse);
}
