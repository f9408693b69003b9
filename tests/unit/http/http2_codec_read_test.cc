// SPDX-License-Identifier: Apache-2.0
// What an HTTP/2 codec makes of a client's and a replica's bytes.
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/http/http2_fixture.h"

namespace limpet::test {
namespace {

using namespace std::string_literals;

TEST_CASE("h2: a GET is read like one of HTTP/1") {
  RawClient client;
  CHECK(client.said_about(client.get(1, {{"user-agent", "x"}, {"accept", "*/*"}})) ==
        "1 GET / none; 1 end; ");
  const RequestHead& head = client.side().request();
  CHECK(head.version == HttpVersion::kHttp2);
  CHECK(head.method == Method::kGet);
  CHECK(head.scheme == "http");
  CHECK(head.authority == "a.example");
  CHECK(head.path == "/");
  CHECK(fields_text(head.fields) == "host=a.example|user-agent=x|accept=*/*");
  CHECK(head.fields.find(FieldName::kUserAgent)->is_line());
  CHECK(client.codec().streams_open() == 1);
}

TEST_CASE("h2: bytes may come one by one") {
  Http2Side side(CodecRole::kServer);
  Compressor compressor;
  side.feed_bytewise(
      std::string(kPreface) + frame(kSettings, 0, 0) +
      frame(kHeaders, kEndHeaders, 1,
            compressor.block(RawClient::with_pseudo(
                "POST", {{"content-length", "3"}, {"x-long", std::string(300, 'v')}}))));
  CHECK(side.said() == "1 POST / 3; ");
  side.feed_bytewise(frame(kData, kEndStream, 1, "abc"));
  CHECK(side.said() == "1 body 1; 1 body 1; 1 body 1; 1 end; ");
  CHECK(side.body() == "abc");
}

TEST_CASE("h2: the target is split as in HTTP/1 and its octets are kept") {
  RawClient client;
  client.side().feed(client.headers(1, {{":method", "GET"},
                                        {":scheme", "https"},
                                        {":path", "/a%2Fb/../c?q=%00&r=/?"},
                                        {":authority", "[::1]:8443"}}));
  const RequestHead& head = client.side().request();
  CHECK(head.target == "/a%2Fb/../c?q=%00&r=/?");
  CHECK(head.path == "/a%2Fb/../c");
  CHECK(head.query == "q=%00&r=/?");
  CHECK(head.scheme == "https");
  CHECK(head.authority == "[::1]:8443");
}

TEST_CASE("h2: body lengths follow from the fields and the end of the stream") {
  RawClient client;
  CHECK(client.said_about(client.post(1)) == "1 POST / unknown; ");
  CHECK(client.said_about(client.post(3, {{"content-length", "5"}})) == "3 POST / 5; ");
  CHECK(client.said_about(client.post(5, {{"content-length", "0"}})) == "5 POST / 0; ");
  CHECK(client.said_about(client.get(7, {{"content-length", "0"}})) == "7 GET / none; 7 end; ");
  CHECK(client.said_about(frame(kData, 0, 1, "ab") + frame(kData, kEndStream, 1)) ==
        "1 body 2; 1 end; ");
  CHECK(client.said_about(frame(kData, kEndStream, 5)) == "5 end; ");
}

TEST_CASE("h2: padding is no body") {
  RawClient client;
  client.side().feed(client.post(1, {{"content-length", "2"}}));
  const std::string padded = number(4, 1) + "ab" + std::string(4, '\0');
  CHECK(client.said_about(frame(kData, kPadded | kEndStream, 1, padded)) ==
        "1 POST / 2; 1 body 2; 1 end; ");
}

TEST_CASE("h2: streams are told apart when their frames are mixed") {
  RawClient client;
  CHECK(client.said_about(
            joined({client.post(1), client.post(3), frame(kData, 0, 3, "three"),
                    frame(kData, kEndStream, 1, "one"), frame(kData, kEndStream, 3)})) ==
        "1 POST / unknown; 3 POST / unknown; 3 body 5; 1 body 3; 1 end; 3 end; ");
}

TEST_CASE("h2: trailers come before the end, those that may not stand there are dropped") {
  RawClient client;
  client.side().feed(client.post(1));
  CHECK(client.said_about(
            frame(kData, 0, 1, "x") +
            client.headers(
                1, {{"x-sum", "7"}, {"x-forwarded-for", "1.1.1.1"}, {"authorization", "a"}})) ==
        "1 POST / unknown; 1 body 1; 1 trailers x-sum=7; 1 end; ");
  client.side().feed(client.post(3));
  CHECK(client.said_about(client.headers(3, {{"host", "b"}})) == "3 POST / unknown; 3 end; ");
}

TEST_CASE("h2: cookie crumbs are joined and keep their order") {
  RawClient client;
  client.side().feed(
      client.get(1, {{"cookie", "a=1"}, {"x-a", "b"}, {"cookie", "b=2; c=3"}, {"cookie", "d=4"}}));
  CHECK(fields_text(client.side().request().fields) ==
        "host=a.example|x-a=b|cookie=a=1; b=2; c=3; d=4");
  client.side().feed(client.get(5, {{"cookie", ""}, {"cookie", "a=1"}, {"cookie", ""}}));
  CHECK(fields_text(client.side().request().fields) == "host=a.example|cookie=a=1");
  client.side().feed(client.get(7, {{"cookie", ""}, {"cookie", ""}}));
  CHECK(fields_text(client.side().request().fields) == "host=a.example|cookie=");
  client.side().feed(client.get(9, {{"cookie", "a=1"}}));
  CHECK(fields_text(client.side().request().fields) == "host=a.example|cookie=a=1");
}

TEST_CASE("h2: te: trailers is understood and leaves the fields") {
  RawClient client;
  client.side().feed(client.post(1, {{"te", "trailers"}}));
  CHECK(client.side().request().accepts_trailers);
  CHECK(fields_text(client.side().request().fields) == "host=a.example");
  client.side().feed(client.post(3));
  CHECK_FALSE(client.side().request().accepts_trailers);
}

TEST_CASE("h2: Host alone, and Host that says the same as :authority, are fine") {
  const FieldTexts start = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}};
  RawClient client;
  FieldTexts fields = start;
  fields.emplace_back("host", "b.example");
  CHECK(client.said_about(client.headers(1, fields)) == "1 GET / none; 1 end; ");
  CHECK(client.side().request().authority == "b.example");
  fields.insert(fields.begin() + 3, {":authority", "B.example:80"});
  CHECK(client.said_about(client.headers(3, fields)) == "3 GET / none; 3 end; ");
  CHECK(client.side().request().authority == "B.example:80");
  CHECK(fields_text(client.side().request().fields) == "host=B.example:80");
}

TEST_CASE("h2: OPTIONS * and CONNECT are what they are in HTTP/1") {
  RawClient client;
  CHECK(
      client.said_about(client.headers(
          1, {{":method", "OPTIONS"}, {":scheme", "http"}, {":path", "*"}, {":authority", "a"}})) ==
      "1 OPTIONS * none; 1 end; ");
  CHECK(client.said_about(client.headers(
            3, {{":method", "CONNECT"}, {":authority", "a.example:443"}}, kEndHeaders)) ==
        "3 CONNECT a.example:443 unknown; ");
  CHECK(client.side().request().method == Method::kConnect);
}

TEST_CASE("h2: an extended CONNECT for a websocket is a GET with an upgrade") {
  RawClient client;
  const FieldTexts fields = {{":method", "CONNECT"}, {":protocol", "websocket"},
                             {":scheme", "https"},   {":path", "/chat"},
                             {":authority", "a"},    {"sec-websocket-version", "13"}};
  CHECK(client.said_about(client.headers(1, fields, kEndHeaders)) == "1 GET /chat none; ");
  const RequestHead& head = client.side().request();
  CHECK(head.method == Method::kGet);
  CHECK(head.upgrade == "websocket");
  CHECK(fields_text(head.fields) == "host=a|sec-websocket-version=13");
  CHECK(client.said_about(frame(kData, 0, 1, "hi") + frame(kData, kEndStream, 1)) ==
        "1 body 2; 1 end; ");
}

TEST_CASE("h2: an extended CONNECT for anything else is a CONNECT, which has its answer") {
  RawClient client;
  CHECK(client.said_about(client.headers(1,
                                         {{":method", "CONNECT"},
                                          {":protocol", "connect-udp"},
                                          {":scheme", "https"},
                                          {":path", "/udp"},
                                          {":authority", "a:1"}},
                                         kEndHeaders)) == "1 CONNECT a:1 unknown; ");
}

TEST_CASE("h2: 100-continue is noticed, other expectations are answered 417") {
  RawClient client;
  client.side().feed(client.post(1, {{"expect", "100-continue"}}));
  CHECK(client.side().request().expects_continue);
  client.side().feed(client.get(3, {{"expect", "100-continue"}}));
  CHECK_FALSE(client.side().request().expects_continue);
  static_cast<void>(client.side().said());
  CHECK(client.said_about(client.post(5, {{"expect", "tea"}})) == "5 fault 417; ");
}

TEST_CASE("h2: what is too large is answered on its stream, which then ends") {
  CodecLimits limits;
  limits.request_line_bytes = 20;
  limits.header_bytes = 300;
  limits.header_fields = 4;
  RawClient client(limits);
  CHECK(client.said_about(client.headers(1,
                                         {{":method", "POST"},
                                          {":scheme", "http"},
                                          {":path", "/" + std::string(20, 'x')},
                                          {":authority", "a"}},
                                         kEndHeaders)) == "1 fault 414; ");
  CHECK(client.said_about(client.get(3, {{"x", std::string(300, 'v')}})) == "3 fault 431; ");
  CHECK(client.said_about(client.get(5, {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}})) ==
        "5 fault 431; ");
  CHECK(client.said_about(client.get(7, {{"a", "1"}, {"b", "2"}, {"c", "3"}})) ==
        "7 GET / none; 7 end; ");
  // Nothing more is said of what the client still sends there.
  CHECK(client.said_about(frame(kData, 0, 1, "abc")).empty());
  ResponseHead head(client.side().home().arena_for(0));
  head.status = 414;
  client.codec().write_response(1, head);
  CHECK(client.side().frames() == "HEADERS 1 END_STREAM [:status=414]; RST_STREAM 1 0; ");
  head.status = 431;
  client.codec().write_response(3, head);
  CHECK(client.side().frames() == "HEADERS 3 END_STREAM [:status=431]; ");
  CHECK(client.side().said().empty());
}

TEST_CASE("h2: cookie crumbs count with 32 octets each") {
  CodecLimits limits;
  limits.header_bytes = 1000;
  RawClient client(limits);
  FieldTexts crumbs(24, {"cookie", "a"});  // 24 × (6 + 1 + 32) + 45
  CHECK(client.said_about(client.get(1, crumbs)) == "1 GET / none; 1 end; ");
  crumbs.emplace_back("cookie", "a");
  CHECK(client.said_about(client.get(3, crumbs)) == "3 fault 431; ");
}

TEST_CASE("h2: trailers live on what the head left of its bounds") {
  CodecLimits limits;
  limits.header_bytes = 200;
  RawClient client(limits);
  client.side().feed(client.post(1, {{"x", std::string(80, 'v')}}));
  static_cast<void>(client.side().said());
  CHECK(client.said_about(client.headers(1, {{"y", std::string(80, 'v')}})) == "1 fault 431; ");
  CHECK(client.side().frames() == "RST_STREAM 1 1; ");
}

TEST_CASE("h2: a field block that unfolds far beyond its bounds is not read to its end") {
  CodecLimits limits;
  limits.header_bytes = 2000;
  RawClient client(limits);
  FieldTexts bomb = {{"x-bomb", std::string(1000, 'v')}};
  for (int i = 0; i < 20; ++i)
    bomb.push_back(bomb.front());
  const std::string bytes = client.get(1, bomb);
  CHECK(bytes.size() < 2000);
  CHECK(client.said_about(bytes) == "1 fault 400; ");
  CHECK(client.side().frames() == "RST_STREAM 1 11; ");
  // Compression goes on: the next head is understood.
  CHECK(client.said_about(client.get(3)) == "3 GET / none; 3 end; ");
}

TEST_CASE("h2: a head under way is seen as one") {
  RawClient client;
  const std::string block = client.compressor().block(RawClient::with_pseudo("GET", {}));
  const std::string start = frame(kHeaders, kEndStream, 1, block.substr(0, 3));
  CHECK_FALSE(client.codec().is_in_head());
  client.side().feed(start.substr(0, 10));
  CHECK(client.codec().is_in_head());
  client.side().feed(start.substr(10));
  CHECK(client.codec().is_in_head());
  client.side().feed(frame(kContinuation, 0, 1, block.substr(3, 1)));
  CHECK(client.codec().is_in_head());
  CHECK(client.said_about(frame(kContinuation, kEndHeaders, 1, block.substr(4))) ==
        "1 GET / none; 1 end; ");
  CHECK_FALSE(client.codec().is_in_head());
  client.side().feed(client.post(3) + frame(kData, 0, 3, "xyz").substr(0, 10));
  CHECK_FALSE(client.codec().is_in_head());
}

TEST_CASE("h2: a reset by the client is told with its code") {
  RawClient client;
  client.side().feed(client.get(1));
  static_cast<void>(client.side().said());
  CHECK(client.said_about(reset_frame(1, 8)) == "1 fault reset; ");
  CHECK(client.side().code() == 8);
  CHECK(client.codec().streams_open() == 0);
  client.side().feed(client.get(3) + reset_frame(3, 0x12345));
  CHECK(client.side().code() == 0xffff);
}

TEST_CASE("h2: a stream that nobody reads any more is ended politely behind its response") {
  RawClient client;
  client.side().feed(joined({client.post(1), client.post(3)}));
  static_cast<void>(client.side().said());
  client.codec().stop_reading(1);
  CHECK(client.said_about(frame(kData, 0, 1, "abc")).empty());
  ResponseHead head(client.side().home().arena_for(0));
  head.status = 204;
  client.codec().write_response(1, head);
  CHECK(client.side().frames() == "HEADERS 1 END_STREAM [:status=204]; RST_STREAM 1 0; ");
  // The other way round.
  client.codec().write_response(3, head);
  CHECK(client.side().frames() == "HEADERS 3 END_STREAM [:status=204]; ");
  client.codec().stop_reading(3);
  CHECK(client.side().frames() == "RST_STREAM 3 0; ");
  CHECK(client.codec().streams_open() == 0);
  CHECK(client.side().said().empty());
}

TEST_CASE("h2: a request that ends while nobody reads it is not reset") {
  RawClient client;
  client.side().feed(client.post(1));
  client.codec().stop_reading(1);
  client.side().feed(frame(kData, kEndStream, 1, "abc"));
  ResponseHead head(client.side().home().arena_for(0));
  head.status = 204;
  client.codec().write_response(1, head);
  CHECK(client.side().frames() == "HEADERS 1 END_STREAM [:status=204]; ");
  CHECK(client.side().said() == "1 POST / unknown; ");
}

// -- responses

TEST_CASE("h2: a response is read like one of HTTP/1") {
  RawReplica replica;
  CHECK(replica.ask() == 1);
  CHECK(replica.said_about(
            replica.headers(1, {{":status", "200"}, {"content-type", "a/b"}}, kEndHeaders) +
            frame(kData, 0, 1, "hello") + frame(kData, kEndStream, 1)) ==
        "1 response 200 unknown; 1 body 5; 1 end; ");
  CHECK(replica.side().response().version == HttpVersion::kHttp2);
  CHECK(fields_text(replica.side().response().fields) == "content-type=a/b");
  CHECK(replica.ask() == 3);
  CHECK(replica.said_about(replica.headers(3, {{":status", "404"}, {"content-length", "2"}},
                                           kEndHeaders)) == "3 response 404 2; ");
  CHECK(replica.ask() == 5);
  CHECK(replica.said_about(replica.headers(5, {{":status", "301"}})) ==
        "5 response 301 none; 5 end; ");
}

TEST_CASE("h2: responses that never have a body") {
  RawReplica replica;
  replica.ask("HEAD");
  CHECK(replica.said_about(replica.headers(1, {{":status", "200"}, {"content-length", "9"}})) ==
        "1 response 200 none; 1 end; ");
  CHECK(replica.side().response().fields.value(FieldName::kContentLength) == "9");
  replica.ask();
  CHECK(replica.said_about(replica.headers(3, {{":status", "304"}, {"content-length", "9"}})) ==
        "3 response 304 none; 3 end; ");
  replica.ask();
  CHECK(replica.said_about(replica.headers(5, {{":status", "204"}}, kEndHeaders) +
                           frame(kData, kEndStream, 5)) == "5 response 204 none; 5 end; ");
}

TEST_CASE("h2: informational responses come before the final one, not without end") {
  RawReplica replica;
  replica.ask();
  CHECK(replica.said_about(
            joined({replica.headers(1, {{":status", "103"}, {"link", "</a>"}}, kEndHeaders),
                    replica.headers(1, {{":status", "200"}})})) ==
        "1 informational 103 none; 1 response 200 none; 1 end; ");
  replica.ask();
  static_cast<void>(replica.side().sent());
  for (int i = 0; i < 32; ++i)
    replica.side().feed(replica.headers(3, {{":status", "103"}}, kEndHeaders));
  static_cast<void>(replica.side().said());
  CHECK(replica.said_about(replica.headers(3, {{":status", "103"}}, kEndHeaders)) ==
        "3 fault bad response; ");
  CHECK(replica.side().frames() == "RST_STREAM 3 1; ");
}

TEST_CASE("h2: response trailers") {
  RawReplica replica;
  replica.ask();
  CHECK(replica.said_about(
            joined({replica.headers(1, {{":status", "200"}}, kEndHeaders), frame(kData, 0, 1, "m"),
                    replica.headers(1, {{"grpc-status", "0"}, {"grpc-message", ""}})})) ==
        "1 response 200 unknown; 1 body 1; 1 trailers grpc-status=0|grpc-message=; 1 end; ");
}

TEST_CASE("h2: a refused stream was not processed, another reset may have been") {
  RawReplica replica;
  replica.ask();
  replica.ask();
  CHECK(replica.said_about(reset_frame(1, 7)) == "1 fault refused; ");
  CHECK(replica.said_about(reset_frame(3, 2)) == "3 fault reset; ");
  CHECK(replica.side().code() == 2);
}

TEST_CASE("h2: a whole response stays one when its replica wants no more of the request") {
  RawReplica replica;
  replica.ask("POST", {BodyLength::Kind::kUnknown, 0});
  static_cast<void>(replica.side().sent());
  CHECK(replica.said_about(replica.headers(1, {{":status", "413"}}) + reset_frame(1, 0)) ==
        "1 response 413 none; 1 end; ");
  CHECK(replica.codec().streams_open() == 0);
  replica.side().write_body(1, "more");
  CHECK(replica.side().frames().empty());
}

TEST_CASE("h2: a response cut short is not a whole one") {
  RawReplica replica;
  replica.ask();
  static_cast<void>(replica.side().sent());
  CHECK(replica.said_about(
            replica.headers(1, {{":status", "200"}, {"content-length", "9"}}, kEndHeaders) +
            frame(kData, kEndStream, 1, "short")) ==
        "1 response 200 9; 1 body 5; 1 fault bad response; ");
  CHECK(replica.side().frames() == "RST_STREAM 1 1; ");
  replica.ask();
  CHECK(replica.said_about(replica.headers(3, {{":status", "200"}}, kEndHeaders) +
                           frame(kData, 0, 3, "x") + reset_frame(3, 8)) ==
        "3 response 200 unknown; 3 body 1; 3 fault reset; ");
}

TEST_CASE("h2: GOAWAY refuses the streams above its number and no others") {
  RawReplica replica;
  replica.ask();
  replica.ask();
  replica.ask();
  CHECK(replica.codec().takes_streams());
  CHECK(replica.said_about(goaway_frame(3, 0)) == "3 goaway; 5 fault refused; ");
  CHECK_FALSE(replica.codec().takes_streams());
  CHECK(replica.ask() == 0);
  CHECK(replica.said_about(replica.headers(3, {{":status", "200"}})) ==
        "3 response 200 none; 3 end; ");
  // The last one is over: there is nothing left to wait for.
  CHECK(replica.said_about(replica.headers(1, {{":status", "200"}})) ==
        "1 response 200 none; 1 end; 0 concluded; ");
}

TEST_CASE("h2: the length of a tunnel that an extended CONNECT claims to have is not passed on") {
  for (const std::string length : {"0", "5"}) {
    RawClient client;
    const FieldTexts fields = {{":method", "CONNECT"}, {":protocol", "websocket"},
                               {":scheme", "https"},   {":path", "/chat"},
                               {":authority", "a"},    {"content-length", length}};
    client.side().feed(client.headers(1, fields, kEndHeaders));
    CHECK(fields_text(client.side().request().fields) == "host=a");
  }
}

TEST_CASE("h2: an accepted websocket is a 101 with a tunnel, a refused one is a response") {
  RawReplica replica(setting(8, 1));
  CHECK(replica.codec().has_peer_settings());
  CHECK(replica.codec().allows_connect_protocol());
  CHECK(replica.ask("GET", {}, "websocket") == 1);
  CHECK(replica.said_about(replica.headers(1, {{":status", "200"}}, kEndHeaders) +
                           frame(kData, 0, 1, "hi") + frame(kData, kEndStream, 1)) ==
        "1 response 101 tunnel; 1 body 2; 1 end; ");
  CHECK(replica.side().response().upgrade == "websocket");
  CHECK(replica.ask("GET", {}, "websocket") == 3);
  CHECK(replica.said_about(replica.headers(3, {{":status", "403"}})) ==
        "3 response 403 none; 3 end; ");
}

/// A home whose memory can be given back.
struct Lender : HeadHome {
  Arena& arena_for(std::uint32_t) override {
    return *arenas.emplace_back(std::make_unique<Arena>());
  }
  std::vector<std::unique_ptr<Arena>> arenas;
};

TEST_CASE("h2: a head under way does not outlive those who wanted it") {
  for (const bool is_reset : {true, false}) {
    Http2Codec codec(is_reset ? CodecRole::kClient : CodecRole::kServer, CodecLimits{},
                     Http2Settings{});
    Compressor compressor;
    Lender lender;
    StreamEvents events;
    const auto feed = [&](const std::string& bytes) {
      codec.feed(bytes, Instant{}, lender, events);
    };
    feed((is_reset ? "" : std::string(kPreface)) + frame(kSettings, 0, 0));
    if (is_reset) {
      Arena arena;
      RequestHead head(arena);
      head.method_text = "GET";
      head.target = "/";
      CHECK(codec.write_request(head) == 1);
      const std::string block =
          compressor.block({{":status", "200"}, {"x", "y"}, {"z", std::string(3000, 'z')}});
      feed(frame(kHeaders, 0, 1, block.substr(0, 2)));
      codec.reset(1, Http2Error::kCancel);
      lender.arenas.clear();
      feed(frame(kContinuation, kEndHeaders, 1, block.substr(2)));
    } else {
      feed(frame(kHeaders, kEndHeaders, 1, compressor.block(RawClient::with_pseudo("POST", {}))));
      const std::string block = compressor.block({{"x", "y"}, {"z", std::string(3000, 'z')}});
      feed(frame(kHeaders, kEndStream, 1, block.substr(0, 4)));
      codec.stop_reading(1);
      lender.arenas.clear();
      events.clear();
      feed(frame(kContinuation, kEndHeaders, 1, block.substr(4)));
    }
    CHECK(events.empty());
  }
}

TEST_CASE("h2: what a replica allows is known from its settings") {
  RawReplica replica(setting(3, 2));
  CHECK(replica.codec().streams_allowed() == 2);
  CHECK_FALSE(replica.codec().allows_connect_protocol());
  CHECK(replica.ask() == 1);
  CHECK(replica.ask() == 3);
  CHECK(replica.ask() == 0);
  replica.side().feed(replica.headers(1, {{":status", "200"}}));
  CHECK(replica.ask() == 5);
}

}  // namespace
}  // namespace limpet::test
