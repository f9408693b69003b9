// SPDX-License-Identifier: Apache-2.0
// What an HTTP/2 codec sends: the frames, their fields, and when.
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/http2_fixture.h"

namespace limpet::test {
namespace {

using Kind = BodyLength::Kind;

/// A client with one open GET on stream 1.
struct Asked {
  explicit Asked(const FieldTexts& more = {}, std::uint8_t flags = kWhole) {
    client.side().feed(client.get(1, more, flags));
    static_cast<void>(client.side().sent());
    static_cast<void>(client.side().said());
  }
  void answer(std::uint16_t status, BodyLength body, const FieldTexts& fields = {}) {
    head.status = status;
    head.body = body;
    for (const auto& [name, value] : fields)
      head.fields.add_copy(name, value);
    client.codec().write_response(1, head);
  }
  [[nodiscard]] std::string frames() { return client.side().frames(); }

  RawClient client;
  ResponseHead head{client.side().home().arena_for(0)};
};

TEST_CASE("h2: the server's first frame is its settings") {
  Http2Side side(CodecRole::kServer);
  const std::string bytes = side.sent();
  CHECK(side.frames_in(bytes) == "SETTINGS; WINDOW 983041; ");
  CHECK(bytes.find(setting(3, 100)) != std::string::npos);
  CHECK(bytes.find(setting(4, 65535)) != std::string::npos);
  CHECK(bytes.find(setting(6, 32768)) != std::string::npos);
  CHECK(bytes.find(setting(8, 1)) != std::string::npos);
  CHECK(bytes.find(setting(9, 1)) != std::string::npos);
  Http2Side client(CodecRole::kClient);
  const std::string first = client.sent();
  CHECK(client.frames_in(first) == "PREFACE; SETTINGS; WINDOW 983041; ");
  CHECK(first.find(setting(2, 0)) != std::string::npos);
}

TEST_CASE("h2: a small response is a head and one frame of data") {
  Asked asked;
  asked.answer(200, {Kind::kKnown, 5}, {{"content-type", "a/b"}, {"content-length", "5"}});
  asked.client.side().write_body(1, "hello");
  asked.client.codec().write_end(1, nullptr);
  CHECK(asked.frames() ==
        "HEADERS 1 [:status=200|content-type=a/b|content-length=5]; DATA 1 5 END_STREAM; ");
  CHECK(asked.client.codec().streams_open() == 0);
}

TEST_CASE("h2: what a head says of its connection or of another length is not sent") {
  Asked asked;
  asked.answer(200, {Kind::kUnknown, 0},
               {{"connection", "x"},
                {"keep-alive", "y"},
                {"proxy-connection", "z"},
                {"transfer-encoding", "chunked"},
                {"upgrade", "h3"},
                {"te", "trailers"},
                {"content-length", "9"},
                {"x-kept", "1"}});
  CHECK(asked.frames() == "HEADERS 1 [:status=200|x-kept=1]; ");
  CHECK(asked.client.codec().carries_body(1));
}

TEST_CASE("h2: removed fields are not sent, secrets stay out of the tables") {
  Asked asked;
  asked.answer(200, {}, {{"x-gone", "1"}, {"x-kept", "2"}});
  CHECK(asked.frames() == "HEADERS 1 END_STREAM [:status=200|x-gone=1|x-kept=2]; ");
  Asked again;
  again.head.fields.add(FieldName::kSetCookie, "s=1");
  again.head.fields.add(FieldName::kMcpSessionId, "id");
  again.head.fields.add(FieldName::kOther, "x-gone", "1");
  again.head.fields.remove("x-gone");
  again.answer(200, {});
  CHECK_FALSE(again.client.side().expander().has_seen_secret());
  CHECK(again.frames() == "HEADERS 1 END_STREAM [:status=200|set-cookie=s=1|mcp-session-id=id]; ");
  CHECK(again.client.side().expander().has_seen_secret());
}

TEST_CASE("h2: messages that have no body end with their head") {
  Asked nothing;
  nothing.answer(200, {}, {{"content-length", "0"}});
  CHECK(nothing.frames() == "HEADERS 1 END_STREAM [:status=200|content-length=0]; ");
  Asked not_modified;
  not_modified.answer(304, {Kind::kKnown, 7}, {{"content-length", "7"}});
  CHECK(not_modified.frames() == "HEADERS 1 END_STREAM [:status=304|content-length=7]; ");
  Asked no_content;
  no_content.answer(204, {Kind::kUnknown, 0}, {{"content-length", "7"}});
  CHECK(no_content.frames() == "HEADERS 1 END_STREAM [:status=204]; ");
  RawClient client;
  client.side().feed(client.headers(
      1, {{":method", "HEAD"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}));
  CHECK_FALSE(client.codec().carries_body(1));
  ResponseHead head(client.side().home().arena_for(0));
  head.status = 200;
  head.body = {Kind::kKnown, 9};
  head.fields.add(FieldName::kContentLength, "9");
  client.codec().write_response(1, head);
  client.side().write_body(1, "unwanted!");
  client.codec().write_end(1, nullptr);
  CHECK(client.side().frames() == "HEADERS 1 END_STREAM [:status=200|content-length=9]; ");
}

TEST_CASE("h2: a head larger than a frame is several, the last of which says so") {
  for (const std::size_t more : {16200U, 16384U, 40000U}) {
    Asked asked;
    const std::string large(more, 'v');
    asked.answer(200, {}, {{"x-large", large}});
    const std::string bytes = asked.client.side().sent();
    const std::string text = asked.client.side().frames_in(bytes);
    CHECK(text.starts_with("HEADERS 1 END_STREAM"));
    CHECK(text.ends_with("[:status=200|x-large=" + large + "]; "));
    std::size_t frames = 0;
    for (std::size_t at = text.find("CONTINUATION"); at != std::string::npos;
         at = text.find("CONTINUATION", at + 1))
      ++frames;
    CHECK(frames == (more + 16) / 16384);
    for (std::size_t at = 0; at < bytes.size(); at += 9 + number_at(bytes, at, 3))
      CHECK(number_at(bytes, at, 3) <= 16384);
  }
}

TEST_CASE("h2: a connection that has rested goes on where it was") {
  RawClient client;
  const FieldTexts more = {{"user-agent", "unit"}, {"accept", "*/*"}};
  std::size_t held = 0;
  for (std::uint32_t stream = 1; stream < 40; stream += 2) {
    client.codec().rest();
    client.codec().rest();
    if (stream > 1) CHECK(client.codec().bytes_in_use() < held);
    client.side().feed(client.get(stream, more));
    CHECK(client.side().said() ==
          std::to_string(stream) + " GET / none; " + std::to_string(stream) + " end; ");
    client.codec().rest();  // not while a stream is open
    ResponseHead head(client.side().home().arena_for(0));
    head.status = 200;
    head.fields.add(FieldName::kServer, "unit");
    client.codec().write_response(stream, head);
    CHECK(client.side().frames() ==
          "HEADERS " + std::to_string(stream) + " END_STREAM [:status=200|server=unit]; ");
    held = client.codec().bytes_in_use();
  }
  client.codec().rest();
  client.codec().ping();
  CHECK(client.side().frames() == "PING; ");
  client.codec().rest();
  client.side().feed(ping_frame(kAck));
  CHECK(client.codec().pings_unanswered() == 0);
  client.codec().rest();
  CHECK(client.codec().queued_bytes(1) == 0);
  client.codec().rest();
  client.codec().announce_end();
  CHECK(client.side().frames() == "GOAWAY 2147483647 0; ");
  client.codec().rest();
  client.codec().end(Http2Error::kNoError);
  CHECK(client.side().frames() == "GOAWAY 39 0; ");
  client.codec().rest();
}

TEST_CASE("h2: a peer that keeps no table is sent to without one") {
  RawClient client;
  client.side().feed(frame(kSettings, 0, 0, setting(1, 0)));
  client.side().feed(joined({client.get(1), client.get(3)}));
  static_cast<void>(client.side().sent());
  for (const std::uint32_t stream : {1U, 3U}) {
    ResponseHead head(client.side().home().arena_for(0));
    head.status = 200;
    head.fields.add(FieldName::kOther, "x-a", "b");
    client.codec().write_response(stream, head);
  }
  const std::string bytes = client.side().sent();
  // RFC 7541 section 6.3, once.
  CHECK(bytes.substr(9, 2) == "\x20\x88");
  CHECK(client.side().frames_in(bytes) ==
        "HEADERS 1 END_STREAM [:status=200|x-a=b]; HEADERS 3 END_STREAM [:status=200|x-a=b]; ");
}

TEST_CASE("h2: informational heads come before the final one") {
  Asked asked;
  ResponseHead early(asked.client.side().home().arena_for(0));
  early.status = 103;
  early.fields.add(FieldName::kOther, "link", "</a>");
  asked.client.codec().write_informational(1, early);
  asked.answer(200, {});
  asked.client.codec().write_informational(1, early);  // too late: nothing
  CHECK(asked.frames() ==
        "HEADERS 1 [:status=103|link=</a>]; HEADERS 1 END_STREAM [:status=200]; ");
}

TEST_CASE("h2: trailers end the stream, with and without a body before them") {
  Asked asked;
  asked.answer(200, {Kind::kUnknown, 0});
  HeaderList trailers(asked.client.side().home().arena_for(0));
  trailers.add(FieldName::kOther, "grpc-status", "0");
  asked.client.codec().write_end(1, &trailers);
  CHECK(asked.frames() == "HEADERS 1 [:status=200]; HEADERS 1 END_STREAM [grpc-status=0]; ");
  CHECK(asked.client.codec().streams_open() == 0);

  Asked with_body;
  with_body.answer(200, {Kind::kUnknown, 0});
  with_body.client.side().write_body(1, "message");
  with_body.client.codec().write_end(1, &trailers);
  CHECK(with_body.frames() ==
        "HEADERS 1 [:status=200]; DATA 1 7; HEADERS 1 END_STREAM [grpc-status=0]; ");
}

TEST_CASE("h2: trailers wait behind a body that waits, and need not live so long") {
  Asked asked;
  asked.answer(200, {Kind::kUnknown, 0});
  asked.client.side().write_body(1, std::string(70000, 'x'));
  {
    Arena arena;
    HeaderList trailers(arena);
    trailers.add_copy("x-sum", "70000");
    asked.client.codec().write_end(1, &trailers);
  }
  std::string frames = asked.frames();
  CHECK(frames.find("x-sum") == std::string::npos);
  asked.client.side().feed(window_frame(1, 10000) + window_frame(0, 10000));
  CHECK(asked.frames() == "DATA 1 4465; HEADERS 1 END_STREAM [x-sum=70000]; ");
  CHECK(asked.client.side().said() == "1 drained; ");
}

TEST_CASE("h2: trailers of many streams that waited together are each one's own") {
  RawClient client;
  client.side().feed(joined({client.get(1), client.get(3), client.get(5)}));
  static_cast<void>(client.side().sent());
  for (const std::uint32_t stream : {1U, 3U, 5U}) {
    ResponseHead head(client.side().home().arena_for(0));
    head.status = 200;
    head.body.kind = Kind::kUnknown;
    client.codec().write_response(stream, head);
    client.side().write_body(stream, "a");
    HeaderList trailers(client.side().home().arena_for(0));
    trailers.add_copy("x-of", std::to_string(stream));
    client.codec().write_end(stream, &trailers);
  }
  const std::string frames = client.side().frames();
  for (const char* of : {"1", "3", "5"})
    CHECK(frames.find(std::string("HEADERS ") + of + " END_STREAM [x-of=" + of + "]") !=
          std::string::npos);
  CHECK(client.codec().streams_open() == 0);
}

TEST_CASE("h2: trailers of removed fields alone are none") {
  Asked asked;
  asked.answer(200, {Kind::kUnknown, 0});
  HeaderList trailers(asked.client.side().home().arena_for(0));
  trailers.add(FieldName::kOther, "x", "y");
  trailers.remove("x");
  asked.client.codec().write_end(1, &trailers);
  CHECK(asked.frames() == "HEADERS 1 [:status=200]; DATA 1 0 END_STREAM; ");
}

TEST_CASE("h2: windows are kept, the rest waits and is reported when it is gone") {
  Asked asked;
  asked.answer(200, {Kind::kUnknown, 0});
  asked.client.side().write_body(1, std::string(100000, 'x'));
  CHECK(asked.client.codec().queued_bytes(1) == 100000 - 65535);
  CHECK(asked.frames() ==
        "HEADERS 1 [:status=200]; DATA 1 16384; DATA 1 16384; DATA 1 16384; DATA 1 16383; ");
  asked.client.side().feed(window_frame(1, 50000));
  CHECK(asked.frames().empty());  // the connection's own window is still shut
  asked.client.side().feed(window_frame(0, 20000));
  CHECK(asked.frames() == "DATA 1 16384; DATA 1 3616; ");
  CHECK(asked.client.side().said().empty());
  asked.client.side().feed(window_frame(0, 50000));
  CHECK(asked.frames() == "DATA 1 14465; ");
  CHECK(asked.client.side().said() == "1 drained; ");
  CHECK(asked.client.codec().queued_bytes(1) == 0);
  asked.client.codec().write_end(1, nullptr);
  CHECK(asked.frames() == "DATA 1 0 END_STREAM; ");
}

TEST_CASE("h2: bytes stay in order whatever their size and the windows") {
  Asked asked;
  asked.answer(200, {Kind::kUnknown, 0});
  std::string written;
  std::string sent;
  const auto take = [&] {
    std::string bytes = asked.client.side().sent();
    while (bytes.size() >= 9) {
      const std::size_t length = number_at(bytes, 0, 3);
      if (bytes[3] == kData) sent += bytes.substr(9, length);
      bytes.erase(0, 9 + length);
    }
  };
  for (std::size_t i = 0; i < 60; ++i) {
    const std::string piece(i * 97 % 9000 + 1, static_cast<char>('a' + i % 26));
    written += piece;
    asked.client.side().write_body(1, piece);
    if (i % 3 == 0) take();
    if (i % 7 == 0) asked.client.side().feed(window_frame(1, 3001) + window_frame(0, 2003));
  }
  asked.client.codec().write_end(1, nullptr);
  for (int i = 0; i < 200 && sent.size() < written.size(); ++i) {
    asked.client.side().feed(window_frame(1, 5000) + window_frame(0, 4000));
    take();
  }
  CHECK(sent == written);
  CHECK(asked.client.codec().streams_open() == 0);
}

TEST_CASE("h2: frames are made up to a bound, the rest at the next call") {
  Asked asked;
  asked.client.side().feed(window_frame(1, 1U << 24) + window_frame(0, 1U << 24));
  asked.answer(200, {Kind::kUnknown, 0});
  asked.client.side().write_body(1, std::string(1'000'000, 'x'));
  CHECK(asked.client.codec().queued_bytes(1) > 700'000);
  std::size_t calls = 0;
  std::size_t bytes = 0;
  while (asked.client.codec().queued_bytes(1) > 0 && calls < 10) {
    const std::size_t now = asked.client.side().sent().size();
    CHECK(now <= Http2Codec::kOutBytesMax + 16384 + 9);
    bytes += now;
    ++calls;
  }
  CHECK(calls == 4);
  CHECK(bytes >= 1'000'000);
}

TEST_CASE("h2: streams that wait share alike, those of a client that named an order do not") {
  for (const bool is_ordered : {false, true}) {
    RawClient client;
    const FieldTexts more = is_ordered ? FieldTexts{{"priority", "u=3"}} : FieldTexts{};
    client.side().feed(joined({client.get(1, more), client.get(3, more)}));
    for (const std::uint32_t stream : {1U, 3U}) {
      ResponseHead head(client.side().home().arena_for(0));
      head.status = 200;
      head.body.kind = Kind::kUnknown;
      client.codec().write_response(stream, head);
    }
    client.side().write_body(1, std::string(65535, 'x'));  // all of the connection's window
    client.side().write_body(1, std::string(50000, 'x'));
    client.side().write_body(3, std::string(50000, 'x'));
    static_cast<void>(client.side().sent());
    client.side().feed(window_frame(1, 100000) + window_frame(3, 100000) + window_frame(0, 65536));
    const std::string frames = client.side().frames();
    const bool is_mixed = frames.find("DATA 3") < frames.find("DATA 1 848") ||
                          frames.find("DATA 1", frames.find("DATA 3")) != std::string::npos;
    CHECK(is_mixed == !is_ordered);
  }
}

TEST_CASE("h2: an urgent stream goes first") {
  RawClient client;
  client.side().feed(
      joined({client.get(1, {{"priority", "u=6"}}), client.get(3, {{"priority", "u=0"}})}));
  for (const std::uint32_t stream : {1U, 3U}) {
    ResponseHead head(client.side().home().arena_for(0));
    head.status = 200;
    head.body.kind = Kind::kUnknown;
    client.codec().write_response(stream, head);
    client.side().write_body(stream, "abc");
    client.codec().write_end(stream, nullptr);
  }
  const std::string frames = client.side().frames();
  CHECK(frames.find("DATA 3") < frames.find("DATA 1"));
}

TEST_CASE("h2: a reset goes out, and what waited is forgotten") {
  Asked asked;
  asked.answer(200, {Kind::kUnknown, 0});
  asked.client.side().write_body(1, std::string(100000, 'x'));
  static_cast<void>(asked.frames());
  asked.client.codec().reset(1, Http2Error::kInternalError);
  CHECK(asked.client.codec().queued_bytes(1) == 0);
  asked.client.side().write_body(1, "more");
  asked.client.codec().write_end(1, nullptr);
  asked.client.codec().reset(1, Http2Error::kCancel);
  CHECK(asked.frames() == "RST_STREAM 1 2; ");
  CHECK(asked.client.side().said().empty());
  CHECK(asked.client.codec().streams_open() == 0);
}

TEST_CASE("h2: a polite reset comes behind what was written") {
  Asked asked({}, kEndHeaders);
  asked.answer(413, {Kind::kKnown, 4});
  asked.client.side().write_body(1, "much");
  asked.client.codec().write_end(1, nullptr);
  asked.client.codec().reset(1, Http2Error::kNoError);
  CHECK(asked.frames() ==
        "HEADERS 1 [:status=413|content-length=4]; DATA 1 4 END_STREAM; RST_STREAM 1 0; ");
}

TEST_CASE("h2: credit goes to the stream when it is given, to the connection at once") {
  Http2Settings settings;
  settings.stream_window_bytes = 16384;
  settings.connection_window_bytes = 65535;
  RawClient client({}, settings);
  client.side().feed(client.post(1));
  for (int i = 0; i < 3; ++i) {
    client.side().feed(frame(kData, 0, 1, std::string(16384, 'x')));
    CHECK(client.side().said().find("fault") == std::string::npos);
    const std::string before = client.side().frames();
    CHECK(before.find("WINDOW 1 ") == std::string::npos);
    client.codec().credit(1, 16384);
    CHECK(client.side().frames() == "WINDOW 1 16384; ");
  }
  client.side().feed(client.post(3) + frame(kData, 0, 1, std::string(16384, 'x')));
  CHECK(client.side().frames().find("WINDOW ") != std::string::npos);
}

TEST_CASE("h2: a request is a HEADERS frame with its pseudo-header fields first") {
  RawReplica replica;
  RequestHead head(replica.side().home().arena_for(0));
  head.method = Method::kPost;
  head.method_text = "POST";
  head.scheme = "https";
  head.target = "/a?b";
  head.authority = "a.example";
  head.accepts_trailers = true;
  head.body = {Kind::kKnown, 3};
  head.fields.add(FieldName::kHost, "replica.example");
  head.fields.add(FieldName::kContentLength, "3");
  head.fields.add(FieldName::kAuthorization, "secret");
  head.fields.add(FieldName::kOther, "x-a", "b");
  CHECK(replica.codec().write_request(head) == 1);
  replica.side().write_body(1, "abc");
  replica.codec().write_end(1, nullptr);
  CHECK(replica.side().frames() ==
        "HEADERS 1 [:method=POST|:scheme=https|:authority=replica.example|:path=/a?b|"
        "authorization=secret|x-a=b|content-length=3|te=trailers]; DATA 1 3 END_STREAM; ");
  CHECK(replica.side().expander().has_seen_secret());
}

TEST_CASE("h2: a request with an upgrade is an extended CONNECT without the key") {
  RawReplica replica(setting(8, 1));
  RequestHead head(replica.side().home().arena_for(0));
  head.method = Method::kGet;
  head.method_text = "GET";
  head.target = "/chat";
  head.authority = "a";
  head.upgrade = "websocket";
  head.fields.add(FieldName::kSecWebsocketKey, "dGhlIHNhbXBsZSBub25jZQ==");
  head.fields.add(FieldName::kOther, "sec-websocket-version", "13");
  CHECK(replica.codec().write_request(head) == 1);
  CHECK(replica.side().frames() ==
        "HEADERS 1 [:method=CONNECT|:protocol=websocket|:scheme=http|:authority=a|:path=/chat|"
        "sec-websocket-version=13]; ");
  replica.side().write_body(1, "hi");
  CHECK(replica.side().frames() == "DATA 1 2; ");
}

TEST_CASE("h2: an accepted upgrade is a 200 without what HTTP/1 needs, any other 2xx is none") {
  const FieldTexts connect = {{":method", "CONNECT"},
                              {":protocol", "websocket"},
                              {":scheme", "http"},
                              {":path", "/"},
                              {":authority", "a"}};
  RawClient client;
  client.side().feed(
      joined({client.headers(1, connect, kEndHeaders), client.headers(3, connect, kEndHeaders)}));
  ResponseHead head(client.side().home().arena_for(0));
  head.status = 101;
  head.upgrade = "websocket";
  head.body.kind = Kind::kTunnel;
  head.fields.add(FieldName::kSecWebsocketAccept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  head.fields.add(FieldName::kOther, "sec-websocket-protocol", "chat");
  client.codec().write_response(1, head);
  CHECK(client.side().frames() == "HEADERS 1 [:status=200|sec-websocket-protocol=chat]; ");
  CHECK(client.codec().carries_body(1));
  ResponseHead plain(client.side().home().arena_for(0));
  plain.status = 200;
  plain.body.kind = Kind::kUnknown;
  client.codec().write_response(3, plain);
  CHECK(client.side().frames() == "HEADERS 3 [:status=502]; ");
}

TEST_CASE("h2: the end is announced, then fixed, then waited for") {
  Asked asked;
  asked.client.codec().announce_end();
  CHECK(asked.frames() == "GOAWAY 2147483647 0; ");
  CHECK_FALSE(asked.client.codec().takes_streams());
  asked.client.side().feed(asked.client.get(3));
  CHECK(asked.client.side().said() == "3 GET / none; 3 end; ");
  asked.client.codec().announce_end();
  CHECK(asked.frames() == "GOAWAY 3 0; ");
  asked.client.codec().announce_end();
  CHECK(asked.frames().empty());
  asked.client.side().feed(asked.client.get(5));
  CHECK(asked.client.side().said().empty());
  asked.answer(200, {});
  asked.client.codec().write_response(3, asked.head);
  CHECK(asked.frames() ==
        "HEADERS 1 END_STREAM [:status=200]; HEADERS 3 END_STREAM [:status=200]; ");
  CHECK(asked.client.side().said() == "0 concluded; ");
}

TEST_CASE("h2: an end for a reason comes at once") {
  Asked asked;
  asked.client.codec().end(Http2Error::kEnhanceYourCalm);
  CHECK(asked.frames() == "GOAWAY 1 11; ");
  CHECK(asked.client.side().said() == "0 concluded; ");
  asked.client.side().feed(asked.client.get(3));
  CHECK(asked.client.side().said().empty());
}

TEST_CASE("h2: pings are counted until an answer comes") {
  RawReplica replica;
  replica.codec().ping();
  replica.codec().ping();
  CHECK(replica.codec().pings_unanswered() == 2);
  CHECK(replica.side().frames() == "PING; PING; ");
  replica.side().feed(ping_frame(kAck));
  CHECK(replica.codec().pings_unanswered() == 0);
}

TEST_CASE("h2: streams that are not there are nothing to write to") {
  RawClient client;
  ResponseHead head(client.side().home().arena_for(0));
  head.status = 200;
  for (const std::uint32_t stream : {0U, 1U, 2U, 0x80000001U}) {
    client.codec().write_response(stream, head);
    client.codec().write_informational(stream, head);
    client.side().write_body(stream, "x");
    client.codec().write_end(stream, nullptr);
    client.codec().reset(stream, Http2Error::kCancel);
    client.codec().stop_reading(stream);
    client.codec().credit(stream, 1);
    CHECK(client.codec().queued_bytes(stream) == 0);
    CHECK_FALSE(client.codec().carries_body(stream));
  }
  CHECK(client.side().frames().empty());
}

TEST_CASE("h2: heads of more than one frame") {
  Asked asked;
  asked.answer(200, {}, {{"x-large", std::string(40000, 'v')}});
  const std::string frames = asked.frames();
  CHECK(frames.find("HEADERS 1 END_STREAM; CONTINUATION 1") == 0);
  CHECK(frames.find("x-large=vvv") != std::string::npos);
  Asked many;
  FieldTexts fields;
  for (int i = 0; i < 200; ++i)
    fields.emplace_back("x-" + std::to_string(i), "v");
  many.answer(200, {}, fields);
  CHECK(many.frames().find("x-199=v") != std::string::npos);
}

TEST_CASE("h2: a head that is too large for any peer takes its stream with it") {
  Asked asked;
  asked.answer(200, {}, {{"x-huge", std::string(2'000'000, 'v')}});
  CHECK(asked.frames() == "RST_STREAM 1 2; ");
  CHECK(asked.client.side().said() == "1 fault reset; ");
}

TEST_CASE("h2: a codec can be moved while streams are open") {
  RawClient client;
  client.side().feed(client.get(1));
  Http2Codec moved = std::move(client.codec());
  Arena arena;
  ResponseHead head(arena);
  head.status = 200;
  moved.write_response(1, head);
  Buffer out;
  StreamEvents events;
  moved.collect(out, events);
  CHECK_FALSE(out.is_empty());
  client.codec() = std::move(moved);
  CHECK(client.codec().streams_open() == 0);
}

}  // namespace
}  // namespace limpet::test
