// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/forwarded.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;

namespace {

struct Request {
  explicit Request(std::initializer_list<std::pair<const char*, const char*>> fields)
      : head(arena) {
    head.authority = "a.example:80";
    for (const auto& [name, value] : fields)
      head.fields.add_copy(name, value);
  }
  [[nodiscard]] std::string forwarded(const ForwardingFacts& facts) {
    add_forwarding(head, facts);
    return fields_text(head.fields);
  }
  Arena arena;
  RequestHead head;
};

// Trusts 10.*, and fd00::*.
class Trusted : public AddressPredicate {
 public:
  [[nodiscard]] bool contains(std::string_view address) const override {
    return address.starts_with("10.") || address.starts_with("fd00::");
  }
};

[[nodiscard]] std::string client_of(
    std::initializer_list<std::pair<const char*, const char*>> fields, std::string_view peer) {
  const Request request(fields);
  return std::string(true_client(request.head.fields, peer, Trusted()));
}

}  // namespace

TEST_CASE("forwarded: an untrusted client's claims are replaced") {
  Request request({{"x-forwarded-for", "6.6.6.6"},
                   {"x-forwarded-proto", "https"},
                   {"x-forwarded-host", "evil"},
                   {"x-forwarded-port", "1"},
                   {"x-forwarded-user", "root"},
                   {"x-real-ip", "6.6.6.6"},
                   {"forwarded", "for=6.6.6.6"},
                   {"via", "1.0 fred"},
                   {"x-own", "1"}});
  CHECK(
      request.forwarded({"192.0.2.1", false, ClientTrust::kUntrusted, ForwardedField::kOff}) ==
      "via=1.0 "
      "fred|x-own=1|x-forwarded-for=192.0.2.1|x-forwarded-host=a.example:80|x-forwarded-proto=http|"
      "via=1.1 limpet");
}

TEST_CASE("forwarded: a trusted client's claims are kept and appended to") {
  Request request({{"x-forwarded-for", "192.0.2.7"},
                   {"x-forwarded-for", "10.0.0.1"},
                   {"x-forwarded-proto", "https"},
                   {"x-forwarded-host", "b.example"},
                   {"x-forwarded-port", "443"},
                   {"forwarded", "for=192.0.2.7"}});
  CHECK(request.forwarded({"10.0.0.2", false, ClientTrust::kTrusted, ForwardedField::kOn}) ==
        "x-forwarded-proto=https|x-forwarded-host=b.example|x-forwarded-port=443|"
        "x-forwarded-for=192.0.2.7, 10.0.0.1, 10.0.0.2|"
        "forwarded=for=192.0.2.7, for=10.0.0.2;proto=http;host=\"a.example:80\"|via=1.1 limpet");
}

TEST_CASE("forwarded: IPv6 and unknown clients are written by RFC 7239, HTTP/1.0 by its number") {
  Request six({});
  six.head.authority = "a";
  six.head.version = HttpVersion::kHttp10;
  CHECK(
      six.forwarded({"2001:db8::1", true, ClientTrust::kUntrusted, ForwardedField::kOn}) ==
      "x-forwarded-for=2001:db8::1|x-forwarded-host=a|"
      "forwarded=for=\"[2001:db8::1]\";proto=https;host=a|x-forwarded-proto=https|via=1.0 limpet");
  Request unix_socket({});
  unix_socket.head.authority = {};
  CHECK(unix_socket.forwarded({"", false, ClientTrust::kUntrusted, ForwardedField::kOn}) ==
        "forwarded=for=unknown;proto=http|x-forwarded-proto=http|via=1.1 limpet");
}

TEST_CASE("forwarded: the true client stands before the trusted hops") {
  CHECK(client_of({{"x-forwarded-for", "6.6.6.6"}}, "192.0.2.1") == "192.0.2.1");
  CHECK(client_of({{"x-forwarded-for", "6.6.6.6, 192.0.2.1"}}, "10.0.0.1") == "192.0.2.1");
  CHECK(client_of({{"x-forwarded-for", "6.6.6.6"}, {"x-forwarded-for", "192.0.2.1 ,10.0.0.2"}},
                  "10.0.0.1") == "192.0.2.1");
  CHECK(client_of({{"x-forwarded-for", "10.0.0.3, 10.0.0.2"}}, "10.0.0.1") == "10.0.0.3");
  CHECK(client_of({{"x-forwarded-for", "6.6.6.6, garbage, 10.0.0.2"}}, "10.0.0.1") == "10.0.0.2");
  CHECK(client_of({{"x-forwarded-for", "6.6.6.6,,10.0.0.2"}}, "10.0.0.1") == "10.0.0.2");
  CHECK(client_of({{"x-forwarded-for", ""}}, "10.0.0.1") == "10.0.0.1");
  CHECK(client_of({{"x-forwarded-for", "192.0.2.1:5000"}}, "10.0.0.1") == "192.0.2.1");
  CHECK(client_of({{"x-forwarded-for", "2001:db8::1, [fd00::2]:443"}}, "fd00::1") == "2001:db8::1");
  CHECK(client_of({}, "10.0.0.1") == "10.0.0.1");
}

TEST_CASE("forwarded: Forwarded is asked where X-Forwarded-For is missing") {
  CHECK(client_of({{"forwarded",
                    "for=6.6.6.6, For=\"[2001:db8::1]:4711\";proto=http, for=10.0.0.2;by=\"a,b\""}},
                  "10.0.0.1") == "2001:db8::1");
  CHECK(client_of({{"forwarded", "for=6.6.6.6, for=_hidden, for=10.0.0.2"}}, "10.0.0.1") ==
        "10.0.0.2");
  CHECK(client_of({{"forwarded", "for=6.6.6.6, proto=http"}}, "10.0.0.1") == "10.0.0.1");
  CHECK(client_of({{"forwarded", "for=6.6.6.6"}, {"x-forwarded-for", "192.0.2.1"}}, "10.0.0.1") ==
        "192.0.2.1");
}

TEST_CASE("forwarded: addresses of nodes") {
  CHECK(node_address("192.0.2.1") == "192.0.2.1");
  CHECK(node_address(" 192.0.2.1:80 ") == "192.0.2.1");
  CHECK(node_address("2001:db8::1") == "2001:db8::1");
  CHECK(node_address("[2001:db8::1]") == "2001:db8::1");
  CHECK(node_address("[2001:db8::1]:80") == "2001:db8::1");
  for (const char* wrong :
       {"", "unknown", "_x", "192.0.2", "192.0.2.256", "[192.0.2.1]", "[2001:db8::1", "[::1]x",
        "::g", "a.example", "192.0.2.1.5", "0x7f.1"}) {
    CAPTURE(wrong);
    CHECK(node_address(wrong).empty());
  }
}
