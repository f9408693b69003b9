// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/authority.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;

namespace {

[[nodiscard]] std::string split(std::string_view text) {
  Authority parsed;
  if (!parse_authority(text, parsed)) return "no";
  return std::string(parsed.host) + " " + std::string(parsed.port);
}

struct Resolved {
  Resolved(Method method, std::string_view target, const char* host,
           HttpVersion version = HttpVersion::kHttp11)
      : head(arena) {
    head.method = method;
    head.version = version;
    if (host != nullptr) head.fields.add(FieldName::kHost, host);
    head.fields.add(FieldName::kAccept, "*/*");
    head.target = target;
    refusal = resolve_target(head);
  }
  Arena arena;
  RequestHead head;
  Refusal refusal;
};

}  // namespace

TEST_CASE("authority: hosts and ports of every kind") {
  CHECK(split("a") == "a ");
  CHECK(split("example.org:8080") == "example.org 8080");
  CHECK(split("127.0.0.1:80") == "127.0.0.1 80");
  CHECK(split("127.0.0.1") == "127.0.0.1 ");
  CHECK(split("a-very-long-host-name-of-more-than-one-block.example.org") ==
        "a-very-long-host-name-of-more-than-one-block.example.org ");
  CHECK(split("a:") == "a ");
  CHECK(split("12345") == "12345 ");
  CHECK(split("[::1]:443") == "[::1] 443");
  CHECK(split("[2001:db8::1]") == "[2001:db8::1] ");
  CHECK(split("[::ffff:192.0.2.1]") == "[::ffff:192.0.2.1] ");
  CHECK(split("[v1.fe80::a+en1]") == "[v1.fe80::a+en1] ");
  CHECK(split("under_score.example") == "under_score.example ");
  CHECK(split("a%2Fb") == "a%2Fb ");
  CHECK(split("sub!$&'()*+,;=~delims") == "sub!$&'()*+,;=~delims ");
}

TEST_CASE("authority: what is none") {
  for (const char* wrong : {"",
                            ":80",
                            "a b",
                            "a/b",
                            "aaaa/bbbb",
                            "a?b",
                            "a#b",
                            "u@a",
                            "a:b",
                            "a:80:80",
                            "a:65536",
                            "a:123456",
                            "a:-1",
                            "a%2",
                            "a%zz",
                            "%",
                            "[",
                            "]",
                            "[]",
                            "[a]",
                            "[::1",
                            "::1",
                            "[::1]a",
                            "[::1]:x",
                            "[fe80::1%25eth0]",
                            "[v.a]",
                            "[v1.]",
                            "[vg.a]",
                            "a[b]",
                            "\xc3\xa4.example",
                            "a\\b",
                            "a\"b",
                            "a<b",
                            "a b.example.org",
                            "http://a",
                            "a{b}.example"}) {
    CAPTURE(wrong);
    CHECK(split(wrong) == "no");
  }
}

TEST_CASE("authority: every byte in a host of every length is judged alike") {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool is_allowed =
        std::string_view("-._~!$&'()*+,;=").find(byte) != std::string_view::npos ||
        (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
        (byte >= 'A' && byte <= 'Z');
    if (byte == ':' || byte == '%' || byte == '[') continue;
    for (std::size_t length = 1; length < 20; ++length) {
      for (const std::size_t at : {std::size_t{0}, length / 2, length - 1}) {
        std::string host(length, 'a');
        host[at] = byte;
        CAPTURE(host);
        CHECK((split(host) != "no") == is_allowed);
      }
    }
  }
}

TEST_CASE("authority: a path goes to the replica octet for octet") {
  const Resolved plain(Method::kGet, "/a/../b//c%2f;x?q=1?2&%zz={}|\"^`<>\\", "example.org");
  REQUIRE_FALSE(plain.refusal.is_refused());
  CHECK(plain.head.target == "/a/../b//c%2f;x?q=1?2&%zz={}|\"^`<>\\");
  CHECK(plain.head.path == "/a/../b//c%2f;x");
  CHECK(plain.head.query == "q=1?2&%zz={}|\"^`<>\\");
  CHECK(plain.head.authority == "example.org");
  CHECK(plain.head.scheme.empty());
  CHECK(Resolved(Method::kGet, "/", "a").head.query.empty());
  CHECK(Resolved(Method::kGet, "/a?", "a").head.path == "/a");
}

TEST_CASE("authority: an absolute target wins over Host and takes its place") {
  const Resolved absolute(Method::kGet, "HTTP://b.example:81/x?y", "a");
  REQUIRE_FALSE(absolute.refusal.is_refused());
  CHECK(absolute.head.target == "/x?y");
  CHECK(absolute.head.scheme == "http");
  CHECK(absolute.head.authority == "b.example:81");
  CHECK(fields_text(absolute.head.fields) == "host=b.example:81|accept=*/*");
  CHECK(Resolved(Method::kGet, "https://b", "").head.target == "/");
  CHECK(Resolved(Method::kGet, "https://b?q", "a").head.target == "/?q");
  CHECK(Resolved(Method::kGet, "https://b?q", "a").head.query == "q");
  CHECK(Resolved(Method::kOptions, "http://b", "a").head.target == "*");
  CHECK(Resolved(Method::kOptions, "http://b/", "a").head.target == "/");
  const Resolved without(Method::kGet, "http://b/", nullptr, HttpVersion::kHttp10);
  CHECK(without.head.fields.value(FieldName::kHost) == "b");
}

TEST_CASE("authority: CONNECT and the asterisk have targets of their own") {
  const Resolved connect(Method::kConnect, "a.example:443", "a.example:443");
  REQUIRE_FALSE(connect.refusal.is_refused());
  CHECK(connect.head.authority == "a.example:443");
  CHECK(Resolved(Method::kConnect, "a.example", "a").refusal.is_refused());
  CHECK(Resolved(Method::kConnect, "http://a:80/", "a").refusal.is_refused());
  CHECK(Resolved(Method::kOptions, "*", "a").head.path == "*");
  CHECK(Resolved(Method::kGet, "*", "a").refusal.is_refused());
  CHECK(Resolved(Method::kOptions, "**", "a").refusal.is_refused());
}

TEST_CASE("authority: HTTP/1.0 may come without Host, or with an empty one") {
  CHECK_FALSE(Resolved(Method::kGet, "/", nullptr, HttpVersion::kHttp10).refusal.is_refused());
  CHECK_FALSE(Resolved(Method::kGet, "/", "", HttpVersion::kHttp10).refusal.is_refused());
  CHECK(Resolved(Method::kGet, "/", nullptr).refusal.is_refused());
  CHECK(Resolved(Method::kGet, "/", "").refusal.is_refused());
}

TEST_CASE(
    "authority: no target holds a control, a space, a fragment or a byte above 0x7e, wherever it "
    "stands") {
  for (std::size_t length = 2; length < 40; ++length) {
    for (std::size_t at = 1; at < length; ++at) {
      for (const char wrong : {' ', '#', '\x7f', '\x80', '\xff', '\t', '\0'}) {
        std::string target(length, 'x');
        target[0] = '/';
        CHECK_FALSE(Resolved(Method::kGet, target, "a").refusal.is_refused());
        target[at] = wrong;
        CHECK(Resolved(Method::kGet, target, "a").refusal.is_refused());
      }
    }
  }
}
