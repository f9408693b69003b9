// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/proxy_header.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)
using State = ProxyReading::State;
using Kind = ProxyHeader::Kind;
using Tls = ProxyHeader::Tls;

namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kIp4Block("\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb", 12);

std::string zeros(std::size_t count) { return std::string(count, '\0'); }

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values)
    bytes += static_cast<char>(value);
  return bytes;
}

// A header of version 2 with `block` behind the fixed part.
std::string binary(int version_and_command, int family, const std::string& block) {
  const auto length = static_cast<int>(block.size());
  return kSignature + bytes_of({version_and_command, family, length >> 8, length & 0xff}) + block;
}

// What is read of `bytes`, in a line.
std::string account(const std::string& bytes) {
  const ProxyReading reading = read_proxy_header(bytes);
  if (reading.state == State::kNeedsMore) return "more";
  if (reading.state == State::kRefused) return "refused";
  const ProxyHeader& header = reading.header;
  std::string text = header.version == ProxyVersion::k1 ? "v1" : "v2";
  if (header.kind == Kind::kLocal) text += " local";
  if (header.kind == Kind::kUnknown) text += " unknown";
  if (!header.source.is_empty()) text += ' ' + header.source.print();
  if (!header.destination.is_empty()) text += " to " + header.destination.print();
  if (header.tls != Tls::kUnsaid) text += header.tls == Tls::kYes ? " tls" : " plain";
  return text + ' ' + std::to_string(reading.bytes);
}

Address address(const char* text) { return *Address::parse(text); }

std::string written(ProxyVersion version, const Address& source, const Address& destination) {
  Buffer out;
  append_proxy_header(out, version, source, destination);
  return std::string(out.view());
}

}  // namespace

TEST_CASE("proxy header v1: addresses and ports of both families") {
  CHECK(account("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET /") ==
        "v1 192.0.2.1:56324 to 198.51.100.2:443 45");
  CHECK(account("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n") ==
        "v1 [2001:db8::1]:65535 to [::1]:0 36");
  CHECK(account("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n") ==
        "v1 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 "
        "to [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 104");
}

TEST_CASE("proxy header v1: UNKNOWN says nothing, whatever follows it") {
  CHECK(account("PROXY UNKNOWN\r\n") == "v1 unknown 15");
  CHECK(account("PROXY UNKNOWN 192.0.2.1 x y\r\n") == "v1 unknown 29");
  CHECK(account("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n") == "v1 unknown 107");
}

TEST_CASE("proxy header v1: what is not exactly in form is refused") {
  const char* wrong[] = {
      "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rX",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
      "PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n",
      "PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n",
      "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 -2\r\n",
      "PROXY TCP4 ::1 ::1 1 2\r\n",
      "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP6 [::1] ::1 1 2\r\n",
      "PROXY TCP6 fe80::1%1 ::1 1 2\r\n",
      "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4\r\n",
      "PROXY UNKNOWNS\r\n",
      "PROXY \r\n",
      "PROXY TCP4 \t1.1.1.1 2.2.2.2 1 2\r\n",
      "GET / HTTP/1.1\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\r\n\r\nGET / HTTP/1.1\r\n",
      "\x16\x03\x01\x02",
  };
  for (const char* bytes : wrong) {
    CAPTURE(bytes);
    CHECK(account(bytes) == "refused");
  }
  CHECK(account("PROXY TCP4 1.1.1.1 2.2.2.2 1 2" + zeros(1) + "\r\n") == "refused");
}

TEST_CASE("proxy header v1: a line is over within 107 bytes") {
  CHECK(account("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n") == "refused");
  CHECK(account("PROXY UNKNOWN " + std::string(92, 'x')) == "more");
  CHECK(account("PROXY UNKNOWN " + std::string(93, 'x')) == "refused");
}

TEST_CASE("proxy header v2: addresses of each family") {
  CHECK(account(binary(0x21, 0x11, kIp4Block) + "GET /") ==
        "v2 192.0.2.1:56324 to 198.51.100.2:443 28");
  CHECK(account(binary(0x21, 0x12, kIp4Block)) == "v2 192.0.2.1:56324 to 198.51.100.2:443 28");
  CHECK(account(binary(0x21, 0x21,
                       zeros(15) + "\x01" + zeros(15) + "\x02" + bytes_of({0, 80, 1, 0xbb}))) ==
        "v2 [::1]:80 to [::2]:443 52");
  std::string path = "/run/a";
  path.resize(108);
  std::string abstract = zeros(1) + "name";
  abstract.resize(108);
  CHECK(account(binary(0x21, 0x31, path + abstract)) == "v2 unix:/run/a to unix:@name 232");
  CHECK(account(binary(0x21, 0x31, zeros(108) + path)) == "v2 to unix:/run/a 232");
  CHECK(account(binary(0x21, 0x31, std::string(216, '/'))) ==
        "v2 unix:" + std::string(107, '/') + " to unix:" + std::string(107, '/') + " 232");
}

TEST_CASE("proxy header v2: LOCAL and unspecified families are passed over") {
  CHECK(account(binary(0x20, 0x00, "")) == "v2 local 16");
  CHECK(account(binary(0x20, 0x11, "anything") + "GET /") == "v2 local 24");
  CHECK(account(binary(0x20, 0xff, zeros(300))) == "v2 local 316");
  CHECK(account(binary(0x21, 0x00, "anything")) == "v2 unknown 24");
}

TEST_CASE("proxy header v2: records are passed over, the one of TLS is read") {
  const std::string authority = bytes_of({0x02, 0, 11}) + "example.org";
  CHECK(account(binary(0x21, 0x11, kIp4Block + authority)) ==
        "v2 192.0.2.1:56324 to 198.51.100.2:443 42");
  CHECK(
      account(binary(0x21, 0x11, kIp4Block + authority + bytes_of({0x20, 0, 5, 1, 0, 0, 0, 0}))) ==
      "v2 192.0.2.1:56324 to 198.51.100.2:443 tls 50");
  CHECK(account(binary(0x21, 0x11, kIp4Block + bytes_of({0x20, 0, 5, 0, 0, 0, 0, 0}))) ==
        "v2 192.0.2.1:56324 to 198.51.100.2:443 plain 36");
}

TEST_CASE("proxy header v2: a checksum is verified where there is one") {
  const std::string records = bytes_of({0x20, 0, 5, 1, 0, 0, 0, 0, 0x03, 0, 4});
  const auto with_sum = [&](std::initializer_list<int> sum) {
    return binary(0x21, 0x11, kIp4Block + records + bytes_of(sum));
  };
  CHECK(account(with_sum({0x5d, 0xd6, 0x65, 0xc6})) ==
        "v2 192.0.2.1:56324 to 198.51.100.2:443 tls 43");
  std::string changed = with_sum({0x5d, 0xd6, 0x65, 0xc6});
  changed[16] = '\x7f';  // another source
  CHECK(account(changed) == "refused");
  CHECK(account(with_sum({0, 0, 0, 0})) == "refused");
  CHECK(account(binary(0x21, 0x11, kIp4Block + bytes_of({0x03, 0, 3, 1, 2, 3}))) == "refused");
}

TEST_CASE("proxy header v2: what is reserved or does not add up is refused") {
  CHECK(account(binary(0x11, 0x11, kIp4Block)) == "refused");  // version
  CHECK(account(binary(0x22, 0x11, kIp4Block)) == "refused");  // command
  CHECK(account(binary(0x21, 0x10, kIp4Block)) == "refused");  // transport
  CHECK(account(binary(0x21, 0x13, kIp4Block)) == "refused");
  CHECK(account(binary(0x21, 0x01, kIp4Block)) == "refused");  // family
  CHECK(account(binary(0x21, 0x41, zeros(216))) == "refused");
  CHECK(account(binary(0x21, 0x11, zeros(11))) == "refused");  // too short for the family
  CHECK(account(binary(0x21, 0x21, zeros(35))) == "refused");
  CHECK(account(binary(0x21, 0x31, zeros(215))) == "refused");
  CHECK(account(binary(0x21, 0x11, kIp4Block + bytes_of({4, 0}))) == "refused");
  CHECK(account(binary(0x21, 0x11, kIp4Block + bytes_of({4, 0, 2, 0}))) == "refused");
  CHECK(account(binary(0x21, 0x11, kIp4Block + bytes_of({0x20, 0, 4, 1, 0, 0, 0}))) == "refused");
  CHECK(account(kSignature + bytes_of({0x21, 0x11, 0xff, 0xff})) == "refused");
  CHECK(account(kSignature + bytes_of({0x31})) == "refused");
}

TEST_CASE("proxy header v2: the longest that is read") {
  const std::size_t rest = kProxyHeaderBytesMax - 16 - kIp4Block.size() - 3;
  const auto noop = [](std::size_t length) {
    return bytes_of({4, static_cast<int>(length >> 8), static_cast<int>(length & 0xff)}) +
           zeros(length);
  };
  CHECK(account(binary(0x21, 0x11, kIp4Block + noop(rest))) ==
        "v2 192.0.2.1:56324 to 198.51.100.2:443 4096");
  CHECK(account(binary(0x21, 0x11, kIp4Block + noop(rest + 1))) == "refused");
}

TEST_CASE("proxy header: every beginning of a header needs more, and never less than it has") {
  const std::string headers[] = {
      "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "PROXY UNKNOWN\r\n",
      binary(0x21, 0x11, kIp4Block + bytes_of({4, 0, 1, 0})), binary(0x20, 0, "")};
  for (const std::string& header : headers) {
    for (std::size_t length = 0; length < header.size(); ++length) {
      CAPTURE(length);
      CHECK(account(header.substr(0, length)) == "more");
    }
    const ProxyReading reading = read_proxy_header(header + header);
    CHECK(reading.state == State::kDone);
    CHECK(reading.bytes == header.size());
  }
}

TEST_CASE("proxy header: what is written reads back") {
  const Address a = address("192.0.2.1:56324");
  const Address b = address("198.51.100.2:443");
  const Address six = address("[2001:db8::1]:1");
  const Address path = address("unix:/run/a");
  const Address abstract = address("unix:@name");
  CHECK(written(ProxyVersion::kNone, a, b).empty());
  CHECK(written(ProxyVersion::k1, a, b) == "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n");
  CHECK(written(ProxyVersion::k2, a, b) == binary(0x21, 0x11, kIp4Block));
  CHECK(account(written(ProxyVersion::k1, six, six)) == "v1 [2001:db8::1]:1 to [2001:db8::1]:1 40");
  CHECK(account(written(ProxyVersion::k2, six, six)) == "v2 [2001:db8::1]:1 to [2001:db8::1]:1 52");
  CHECK(account(written(ProxyVersion::k2, path, abstract)) == "v2 unix:/run/a to unix:@name 232");
  CHECK(written(ProxyVersion::k1, path, abstract) == "PROXY UNKNOWN\r\n");
}

TEST_CASE("proxy header: two families are written as the wider one, what has none as unknown") {
  const Address four = address("192.0.2.1:80");
  const Address six = address("[2001:db8::1]:1");
  const Address path = address("unix:/run/a");
  CHECK(written(ProxyVersion::k1, four, six) == "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 80 1\r\n");
  CHECK(account(written(ProxyVersion::k2, six, four)) ==
        "v2 [2001:db8::1]:1 to [::ffff:192.0.2.1]:80 52");
  CHECK(written(ProxyVersion::k1, four, path) == "PROXY UNKNOWN\r\n");
  CHECK(account(written(ProxyVersion::k2, four, path)) == "v2 unknown 16");
}

TEST_CASE("proxy header: a connection of limpet's own is LOCAL") {
  const Address b = address("198.51.100.2:443");
  CHECK(account(written(ProxyVersion::k2, {}, b)) == "v2 local 16");
  CHECK(written(ProxyVersion::k1, {}, b) == "PROXY UNKNOWN\r\n");
}
