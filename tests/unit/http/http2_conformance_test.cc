// SPDX-License-Identifier: Apache-2.0
// What RFC 9113 says a peer must not do, and what follows: a stream error is a reset and a fault of
// that stream, a connection error is a GOAWAY and the end.
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/http2_fixture.h"

namespace limpet::test {
namespace {

/// What comes of a request with these fields, and that the connection lives on.
std::string fate_of(const FieldTexts& fields, std::uint8_t flags = kWhole) {
  RawClient client;
  const std::string said = client.said_about(client.headers(1, fields, flags));
  const std::string frames = client.side().frames();
  CHECK(client.said_about(client.get(3)) == "3 GET / none; 3 end; ");
  return said + frames;
}
const std::string kMalformed = "1 fault 400; RST_STREAM 1 1; ";

std::string fate_with(const std::string& name, const std::string& value) {
  return fate_of(RawClient::with_pseudo("GET", {{name, value}}));
}
/// A request whose :path, :method or other pseudo-header field is another one.
std::string fate_as(const std::string& name, const std::string& value) {
  FieldTexts fields = RawClient::with_pseudo("GET", {});
  for (auto& field : fields) {
    if (field.first == name) field.second = value;
  }
  return fate_of(fields);
}

TEST_CASE("8.3: pseudo-header fields that are missing, doubled, late or unknown") {
  CHECK(fate_of({{":scheme", "http"}, {":path", "/"}, {":authority", "a"}}) == kMalformed);
  CHECK(fate_of({{":method", "GET"}, {":path", "/"}, {":authority", "a"}}) == kMalformed);
  CHECK(fate_of({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}) == kMalformed);
  CHECK(fate_of({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}) == kMalformed);
  CHECK(fate_with(":path", "/b") == kMalformed);
  CHECK(fate_with(":authority", "a.example") == kMalformed);
  CHECK(fate_with(":status", "200") == kMalformed);
  CHECK(fate_with(":unknown", "x") == kMalformed);
  CHECK(fate_of({{":method", "GET"},
                 {":scheme", "http"},
                 {"x-a", "b"},
                 {":path", "/"},
                 {":authority", "a"}}) == kMalformed);
}

TEST_CASE("8.3.1: methods, paths, schemes and authorities that cannot be") {
  CHECK(fate_as(":method", "GE T") == kMalformed);
  CHECK(fate_as(":method", "") == kMalformed);
  CHECK(fate_as(":method", "GET / HTTP/1.1\r\nx:") == kMalformed);
  for (const char* path :
       {"", "x", "http://b/", "*", "/a b", "/a#b", "/a\r\nb", "/\x7f", "//\t", "/\xc3\xa4"}) {
    INFO(path);
    CHECK(fate_as(":path", path) == kMalformed);
  }
  CHECK(fate_as(":path", std::string("/a\0b", 4)) == kMalformed);
  CHECK(fate_as(":scheme", "ftp") == kMalformed);
  CHECK(fate_as(":scheme", "") == kMalformed);
  for (const char* authority :
       {"", "user@a", "u:p@a:80", "a b", "a/b", "a:x", "a:99999", "[::1", "a,b", "a\r\n"}) {
    if (std::string_view(authority) == "a,b") continue;  // a comma is a sub-delim of a reg-name
    INFO(authority);
    CHECK(fate_as(":authority", authority) == kMalformed);
  }
  CHECK(fate_with("host", "b.example") == kMalformed);
  CHECK(fate_with("host", "a.example:81") == kMalformed);
  CHECK(fate_with("host", "") == kMalformed);
}

TEST_CASE("8.2: field names and values that cannot be") {
  for (const char* name : {"X-Upper", "x y", "x:y", "x\r\n", "", "x\x7f", "x\xc3"}) {
    INFO(name);
    CHECK(fate_with(name, "v") == kMalformed);
  }
  for (const char* value : {"a\rb", "a\nb", "a\r\nx: y", " a", "a ", "\ta", "a\x01", "a\x7f"}) {
    INFO(value);
    CHECK(fate_with("x-a", value) == kMalformed);
  }
  CHECK(fate_with("x-a", std::string("a\0b", 3)) == kMalformed);
  CHECK(fate_with("x-a", "\xc3\xa4 b\tc") == "1 GET / none; 1 end; ");
  CHECK(fate_with("x-a", "") == "1 GET / none; 1 end; ");
}

TEST_CASE("8.2.2: fields that speak of one connection") {
  CHECK(fate_with("connection", "close") == kMalformed);
  CHECK(fate_with("proxy-connection", "keep-alive") == kMalformed);
  CHECK(fate_with("keep-alive", "timeout=5") == kMalformed);
  CHECK(fate_with("transfer-encoding", "chunked") == kMalformed);
  CHECK(fate_with("upgrade", "websocket") == kMalformed);
  CHECK(fate_with("te", "gzip") == kMalformed);
  CHECK(fate_with("te", "trailers, gzip") == kMalformed);
  CHECK(fate_with("te", "trailers") == "1 GET / none; 1 end; ");
}

TEST_CASE("8.1.1: lengths that the body does not keep") {
  CHECK(fate_with("content-length", "1") == kMalformed);
  CHECK(fate_with("content-length", "x") == kMalformed);
  CHECK(fate_with("content-length", "-1") == kMalformed);
  CHECK(fate_with("content-length", "+1") == kMalformed);
  CHECK(fate_with("content-length", "99999999999999999999") == kMalformed);
  CHECK(fate_of(RawClient::with_pseudo("POST", {{"content-length", "1"}, {"content-length", "1"}}),
                kEndHeaders) == kMalformed);
  CHECK(fate_of(RawClient::with_pseudo("POST", {{"content-length", "1, 1"}}), kEndHeaders) ==
        kMalformed);
  const auto body_fate = [](const std::string& data) {
    RawClient client;
    client.side().feed(client.post(1, {{"content-length", "3"}}));
    const std::string said = client.said_about(data);
    return said + client.side().frames();
  };
  CHECK(body_fate(frame(kData, kEndStream, 1, "ab")) ==
        "1 POST / 3; 1 body 2; 1 fault 400; RST_STREAM 1 1; ");
  CHECK(body_fate(frame(kData, 0, 1, "abcd")) == "1 POST / 3; 1 fault 400; RST_STREAM 1 1; ");
  CHECK(body_fate(frame(kData, 0, 1, "abc") + frame(kData, 0, 1, "d")) ==
        "1 POST / 3; 1 body 3; 1 fault 400; RST_STREAM 1 1; ");
  CHECK(body_fate(frame(kData, kEndStream, 1)) == "1 POST / 3; 1 fault 400; RST_STREAM 1 1; ");
}

TEST_CASE("8.1: trailers that do not end the stream, or hold pseudo-header fields") {
  RawClient client;
  client.side().feed(joined({client.post(1), client.headers(1, {{"x", "y"}}, kEndHeaders)}));
  CHECK(client.side().said() == "1 POST / unknown; 1 fault 400; ");
  client.side().feed(joined({client.post(3), client.headers(3, {{":path", "/"}})}));
  CHECK(client.side().said() == "3 POST / unknown; 3 fault 400; ");
  CHECK(client.side().frames() == "RST_STREAM 1 1; RST_STREAM 3 1; ");
}

TEST_CASE("8.5: CONNECT with what it may not have, or without what it must") {
  CHECK(fate_of({{":method", "CONNECT"}}, kEndHeaders) == kMalformed);
  CHECK(fate_of({{":method", "CONNECT"}, {":authority", "a"}}, kEndHeaders) == kMalformed);
  CHECK(
      fate_of({{":method", "CONNECT"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a:1"}},
              kEndHeaders) == kMalformed);
}

TEST_CASE("8441 4: :protocol belongs to CONNECT alone") {
  CHECK(fate_with(":protocol", "websocket") == kMalformed);
  CHECK(fate_of({{":method", "CONNECT"}, {":protocol", "websocket"}, {":authority", "a"}},
                kEndHeaders) == kMalformed);
}

TEST_CASE("responses that break the rules are faults of their stream") {
  const auto fate = [](const FieldTexts& fields) {
    RawReplica replica;
    replica.ask();
    static_cast<void>(replica.side().sent());
    const std::string said = replica.said_about(replica.headers(1, fields));
    return said + replica.side().frames();
  };
  const std::string bad = "1 fault bad response; RST_STREAM 1 1; ";
  CHECK(fate({{"x", "y"}}) == bad);
  CHECK(fate({{":status", "2000"}}) == bad);
  CHECK(fate({{":status", "abc"}}) == bad);
  CHECK(fate({{":status", "099"}}) == bad);
  CHECK(fate({{":status", "600"}}) == bad);
  CHECK(fate({{":status", "101"}}) == bad);
  CHECK(fate({{":status", "100"}}) == bad);  // informational, and the end
  CHECK(fate({{":status", "200"}, {":status", "200"}}) == bad);
  CHECK(fate({{":status", "200"}, {":path", "/"}}) == bad);
  CHECK(fate({{":status", "200"}, {"connection", "close"}}) == bad);
  CHECK(fate({{":status", "200"}, {"transfer-encoding", "chunked"}}) == bad);
  CHECK(fate({{":status", "200"}, {"X-Upper", "y"}}) == bad);
  CHECK(fate({{":status", "200"}, {"x", "a\nb"}}) == bad);
  CHECK(fate({{":status", "200"}, {"content-length", "1"}}) == bad);
}

// -- connection errors

/// What the server says and sends when a fresh connection brings these frames.
std::string end_of(const std::string& bytes) {
  RawClient client;
  const std::string said = client.said_about(bytes);
  return said + client.side().frames();
}
std::string concluded(int code) { return "0 concluded; GOAWAY 0 " + std::to_string(code) + "; "; }

TEST_CASE("3.4: a connection that does not begin as it must") {
  Http2Side wrong(CodecRole::kServer);
  wrong.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(wrong.said() == "0 concluded; ");
  Http2Side no_settings(CodecRole::kServer);
  no_settings.feed(std::string(kPreface) + ping_frame());
  CHECK(no_settings.said() == "0 concluded; ");
  CHECK(no_settings.frames().find("GOAWAY 0 1; ") != std::string::npos);
  Http2Side replica(CodecRole::kClient);
  replica.feed("HTTP/1.1 400 Bad Request\r\n\r\n");
  CHECK(replica.said() == "0 concluded; ");
}

TEST_CASE("4.2: frames of a wrong size") {
  CHECK(end_of(frame(kData, 0, 1, std::string(16385, 'x')).substr(0, 9)) == concluded(6));
  CHECK(end_of(frame(kPing, 0, 0, "1234567")) == concluded(6));
  CHECK(end_of(frame(kSettings, 0, 0, "12345")) == concluded(6));
  CHECK(end_of(frame(kSettings, kAck, 0, setting(1, 1))) == concluded(6));
  CHECK(end_of(frame(kWindowUpdate, 0, 0, "123")) == concluded(6));
  CHECK(end_of(frame(kRstStream, 0, 1, "123")) == concluded(6));
  CHECK(end_of(frame(kPriority, 0, 1, "1234")) == concluded(6));
  CHECK(end_of(frame(kGoaway, 0, 0, "1234567")) == concluded(6));
}

TEST_CASE("4.3: a field block that cannot be expanded") {
  CHECK(end_of(frame(kHeaders, kWhole, 1, "\xff\xff\xff\xff\xff\xff")).find("concluded") !=
        std::string::npos);
  RawClient client;
  client.side().feed(frame(kHeaders, kWhole, 1, "\x3f\xff\xff\xff\xff\xff\xff"));
  CHECK(client.side().frames().find("GOAWAY") != std::string::npos);
}

TEST_CASE("5.1: frames on streams that are idle, half closed or not the client's") {
  CHECK(end_of(frame(kData, 0, 1, "x")) == concluded(1));
  CHECK(end_of(reset_frame(1, 8)) == concluded(1));
  CHECK(end_of(window_frame(1, 1)) == concluded(1));
  CHECK(end_of(frame(kContinuation, kEndHeaders, 1, "")) == concluded(1));
  RawClient maker;
  CHECK(end_of(maker.get(2)) == concluded(1));
  RawClient client;
  client.side().feed(client.get(1));
  static_cast<void>(client.side().said());
  CHECK(client.said_about(frame(kData, 0, 1, "late")).ends_with("0 concluded; "));
  CHECK(client.side().frames() == "GOAWAY 1 5; ");
  RawClient again;
  again.side().feed(again.get(1));
  static_cast<void>(again.side().said());
  CHECK(again.said_about(again.headers(1, {{"x", "y"}})).ends_with("0 concluded; "));
}

TEST_CASE(
    "5.1.2: one stream more than is allowed is refused until the settings are known, then an "
    "error") {
  Http2Settings settings;
  settings.streams_max = 2;
  Http2Side side(CodecRole::kServer, {}, settings);
  Compressor compressor;
  const auto get = [&compressor](std::uint32_t stream) {
    return frame(kHeaders, kWhole, stream, compressor.block(RawClient::with_pseudo("GET", {})));
  };
  side.feed(joined({std::string(kPreface), frame(kSettings, 0, 0), get(1), get(3), get(5)}));
  CHECK(side.said() == "1 GET / none; 1 end; 3 GET / none; 3 end; ");
  CHECK(side.frames().find("RST_STREAM 5 7; ") != std::string::npos);
  side.feed(joined({frame(kSettings, kAck, 0), get(7)}));
  CHECK(side.said() == "0 concluded; ");
  CHECK(side.frames() == "GOAWAY 3 1; ");
}

TEST_CASE("6: frames on the wrong kind of stream") {
  RawClient client;
  CHECK(end_of(frame(kData, 0, 0, "x")) == concluded(1));
  CHECK(end_of(client.headers(0, {{":method", "GET"}})) == concluded(1));
  CHECK(end_of(frame(kPriority, 0, 0, "12345")) == concluded(1));
  CHECK(end_of(frame(kPriority, 0, 3, number(3, 4) + "x")) == concluded(1));
  CHECK(end_of(frame(kPriority, 0, 3, number(5, 4) + "x")).empty());
  CHECK(end_of(reset_frame(0, 0)) == concluded(1));
  CHECK(end_of(frame(kSettings, 0, 1)) == concluded(1));
  CHECK(end_of(frame(kPing, 0, 1, "12345678")) == concluded(1));
  CHECK(end_of(frame(kGoaway, 0, 1, "12345678")) == concluded(1));
  CHECK(end_of(frame(kPushPromise, kEndHeaders, 1, number(2, 4))) == concluded(1));
}

TEST_CASE("6.1 and 6.2: padding that is longer than its frame") {
  RawClient client;
  client.side().feed(client.post(1));
  static_cast<void>(client.side().said());
  CHECK(client.said_about(frame(kData, kPadded, 1, number(9, 1) + "abc")) == "0 concluded; ");
  CHECK(end_of(frame(kHeaders, kWhole | kPadded, 1, number(9, 1) + "abc")) == concluded(1));
}

TEST_CASE("6.10: a field block that another frame interrupts") {
  RawClient client;
  const std::string block = client.compressor().block(RawClient::with_pseudo("GET", {}));
  const std::string start = frame(kHeaders, kEndStream, 1, block.substr(0, 4));
  CHECK(client.said_about(start + ping_frame()) == "0 concluded; ");
  RawClient other;
  other.side().feed(start);
  CHECK(other.said_about(frame(kContinuation, kEndHeaders, 3, block.substr(4))) == "0 concluded; ");
}

TEST_CASE("6.5: settings that cannot be, and their acknowledgement") {
  CHECK(end_of(frame(kSettings, 0, 0)) == "SETTINGS ACK; ");
  CHECK(end_of(frame(kSettings, 0, 0, setting(2, 2))) == concluded(1));
  CHECK(end_of(frame(kSettings, 0, 0, setting(4, 0x80000000))) == concluded(3));
  CHECK(end_of(frame(kSettings, 0, 0, setting(5, 16383))) == concluded(1));
  CHECK(end_of(frame(kSettings, 0, 0, setting(5, 1U << 24))) == concluded(1));
  CHECK(end_of(frame(kSettings, 0, 0, setting(0x99, 7))) == "SETTINGS ACK; ");
}

TEST_CASE("6.7: pings are answered, answers are not") {
  CHECK(end_of(ping_frame()) == "PING ACK; ");
  CHECK(end_of(ping_frame(kAck)).empty());
}

TEST_CASE("6.9: windows that grow by nothing or too far") {
  CHECK(end_of(window_frame(0, 0)) == concluded(1));
  CHECK(end_of(window_frame(0, 0x7fffffff)) == concluded(3));
  RawClient client;
  client.side().feed(joined({client.get(1), client.get(3)}));
  static_cast<void>(client.side().said());
  CHECK(client.said_about(window_frame(1, 0x7fffffff)) == "1 fault 400; ");
  CHECK(client.side().frames() == "RST_STREAM 1 3; ");
  CHECK(client.said_about(window_frame(3, 0)).find("fault") != std::string::npos);
}

TEST_CASE("6.9.1: more than the windows allow") {
  Http2Settings settings;
  settings.stream_window_bytes = 16384;
  RawClient client({}, settings);
  client.side().feed(client.post(1));
  static_cast<void>(client.side().said());
  client.side().feed(frame(kData, 0, 1, std::string(16384, 'x')));
  CHECK(client.side().said() == "1 body 16384; ");
  CHECK(client.said_about(frame(kData, 0, 1, "y")).find("1 fault") != std::string::npos);
  CHECK(client.side().frames().find("RST_STREAM 1 3; ") != std::string::npos);
}

TEST_CASE("5.5: frames and flags that nobody knows are ignored") {
  CHECK(end_of(frame(0x77, 0xff, 5, "whatever")).empty());
  RawClient client;
  CHECK(client.said_about(frame(kHeaders, kWhole | 0xc2, 1,
                                client.compressor().block(RawClient::with_pseudo("GET", {})))) ==
        "1 GET / none; 1 end; ");
}

TEST_CASE("5.4.1: after the end nothing more is read") {
  RawClient client;
  static_cast<void>(client.said_about(frame(kSettings, 0, 1)));
  CHECK(client.said_about(client.get(1)).empty());
  CHECK_FALSE(client.codec().takes_streams());
}

}  // namespace
}  // namespace limpet::test
