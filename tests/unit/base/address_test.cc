// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/address.h"

#include <cstring>
#include <set>
#include <string>
#include <unordered_set>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace limpet {
namespace {

Address must(const char* text) {
  const auto address = Address::parse(text);
  REQUIRE_MESSAGE(address.has_value(), text);
  return *address;
}

Network net(const char* text) {
  const auto network = Network::parse(text);
  REQUIRE_MESSAGE(network.has_value(), text);
  return *network;
}

std::string fault(std::string_view text) {
  const auto address = Address::parse(text);
  return address ? "" : address.error().text;
}

TEST_CASE("an address prints as it was written") {
  for (const char* text : {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80",
                           "[::]:8080", "[2001:db8::1]:443", "unix:/run/x.sock", "unix:@name"}) {
    CHECK(must(text).print() == text);
    CHECK(must(must(text).print().c_str()) == must(text));
  }
  CHECK(must("[2001:DB8:0::1]:443").print() == "[2001:db8::1]:443");
  CHECK(must("localhost:81").print() == "127.0.0.1:81");
}

TEST_CASE("an address knows its family, port and host") {
  CHECK(must("127.0.0.1:80").family() == Family::kIp4);
  CHECK(must("[::1]:80").family() == Family::kIp6);
  CHECK(must("unix:/x").family() == Family::kUnix);
  CHECK(Address().family() == Family::kNone);
  CHECK(Address().is_empty());
  CHECK(Address().print().empty());
  CHECK(must("[::1]:80").port() == 80);
  CHECK(must("unix:/x").port() == 0);
  CHECK(must("[::1]:80").with_port(81).print() == "[::1]:81");
  CHECK(must("unix:/x").with_port(81) == must("unix:/x"));
  CHECK(must("10.1.2.3:80").print_host() == "10.1.2.3");
  CHECK(must("[2001:db8::1]:80").print_host() == "2001:db8::1");
  CHECK(must("unix:/run/x").unix_path() == "/run/x");
  CHECK(must("unix:@n").unix_path() == "@n");
  CHECK(must("127.9.9.9:1").is_loopback());
  CHECK(must("[::1]:1").is_loopback());
  CHECK_FALSE(must("[::2]:1").is_loopback());
  CHECK_FALSE(must("[::]:1").is_loopback());
  CHECK(must("0.0.0.0:1").is_any());
  CHECK(must("[::]:1").is_any());
  CHECK_FALSE(must("0.0.0.1:1").is_any());
}

TEST_CASE("what is not an address is refused with a reason") {
  CHECK(fault("127.0.0.1") ==
        "\"127.0.0.1\" has no port, expected HOST:PORT such as \"127.0.0.1:8080\"");
  CHECK(fault("::1:80") ==
        "an IPv6 address stands in brackets, such as \"[::1]:8080\", found \"::1:80\"");
  CHECK(fault("1.2.3.4:65536") == "\"65536\" in \"1.2.3.4:65536\" is not a port from 0 to 65535");
  CHECK(fault("example.org:80") ==
        "\"example.org\" is not an IP address; names are not resolved here, only \"localhost\" is "
        "known");
  CHECK(fault("[::1:80") == "\"[\" without \"]\" in \"[::1:80\"");
  CHECK(fault("[::1]80") == "expected \":PORT\" behind \"]\" in \"[::1]80\"");
  CHECK(fault("[1.2.3.4]:80") == "\"1.2.3.4\" is not an IPv6 address");
  CHECK(fault("unix:x") ==
        "the path of a Unix socket begins with \"/\", or with \"@\" for an abstract one");
  for (const char* text : {"", ":80", "1.2.3:80", "01.2.3.4:80", "1.2.3.4:", "1.2.3.4:+1", "[]:1",
                           "1.2.3.4:8 0", "unix:", "[fe80::1%nosuchif]:1"}) {
    CHECK_MESSAGE(!fault(text).empty(), text);
  }
  CHECK(!fault(std::string_view("unix:/a\0b", 9)).empty());
  CHECK(!fault(std::string_view("1.2.3.4\0:80", 11)).empty());
}

TEST_CASE("a Unix path fits the system's 107 bytes or is refused") {
  const std::string longest = "unix:/" + std::string(106, 'x');
  CHECK(must(longest.c_str()).print() == longest);
  CHECK(fault(longest + "x") ==
        "the path of a Unix socket has at most 107 bytes, this one has 108");
}

TEST_CASE("an address goes through sockaddr and back") {
  for (const char* text : {"127.0.0.1:80", "[2001:db8::1]:443", "unix:/run/x.sock", "unix:@name"}) {
    const Address address = must(text);
    CHECK(Address::from_sockaddr(address.as_sockaddr(), address.length()) == address);
  }
  CHECK(must("127.0.0.1:80").length() == sizeof(sockaddr_in));
  CHECK(Address::from_sockaddr(nullptr, 0).is_empty());
  sockaddr_un unnamed{};
  unnamed.sun_family = AF_UNIX;
  const Address client = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&unnamed),
                                                sizeof unnamed.sun_family);
  CHECK(client.is_unix());
  CHECK(client.print() == "unix:");
}

TEST_CASE("padding and flow label make no difference between addresses") {
  sockaddr_in raw{};
  std::memcpy(&raw, must("1.2.3.4:5").as_sockaddr(), sizeof raw);
  std::memset(raw.sin_zero, 7, sizeof raw.sin_zero);
  CHECK(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw), sizeof raw) ==
        must("1.2.3.4:5"));
  sockaddr_in6 raw6{};
  std::memcpy(&raw6, must("[::1]:5").as_sockaddr(), sizeof raw6);
  raw6.sin6_flowinfo = 99;
  CHECK(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw6), sizeof raw6) ==
        must("[::1]:5"));
}

TEST_CASE("addresses can be keys of sets") {
  const std::unordered_set<Address> set = {must("1.2.3.4:5"), must("1.2.3.4:5"), must("1.2.3.4:6")};
  CHECK(set.size() == 2);
  const std::set<Address> ordered = {must("1.2.3.4:5"), must("[::1]:5"), must("1.2.3.4:5")};
  CHECK(ordered.size() == 2);
  CHECK(must("1.2.3.4:5") != must("1.2.3.4:6"));
}

TEST_CASE("a mapped IPv4 address is found inside IPv6") {
  CHECK(must("[::ffff:10.1.2.3]:80").unmapped() == must("10.1.2.3:80"));
  CHECK(must("[::fffe:10.1.2.3]:80").unmapped() == must("[::fffe:10.1.2.3]:80"));
  CHECK(must("10.1.2.3:80").unmapped() == must("10.1.2.3:80"));
}

TEST_CASE("an IP alone is read with or without brackets") {
  CHECK(Address::parse_ip("10.0.0.1")->print() == "10.0.0.1:0");
  CHECK(Address::parse_ip("::1")->print() == "[::1]:0");
  CHECK(Address::parse_ip("[::1]")->print() == "[::1]:0");
  CHECK_FALSE(Address::parse_ip("[10.0.0.1]").has_value());
  CHECK_FALSE(Address::parse_ip("10.0.0.1:80").has_value());
  CHECK_FALSE(Address::parse_ip("host").has_value());
}

TEST_CASE("a network contains its addresses and no others") {
  CHECK(net("10.0.0.0/8").contains(must("10.255.0.1:1")));
  CHECK_FALSE(net("10.0.0.0/8").contains(must("11.0.0.1:1")));
  CHECK(net("10.0.0.0/9").contains(must("10.127.0.1:1")));
  CHECK_FALSE(net("10.0.0.0/9").contains(must("10.128.0.1:1")));
  CHECK(net("0.0.0.0/0").contains(must("1.2.3.4:1")));
  CHECK_FALSE(net("0.0.0.0/0").contains(must("[::1]:1")));
  CHECK(net("2001:db8::/32").contains(must("[2001:db8:ffff::1]:1")));
  CHECK_FALSE(net("2001:db8::/32").contains(must("[2001:db9::1]:1")));
  CHECK(net("10.0.0.0/8").contains(must("[::ffff:10.0.0.1]:1")));
  CHECK(net("::ffff:0:0/96").contains(must("[::ffff:10.0.0.1]:1")));
  CHECK_FALSE(net("0.0.0.0/0").contains(must("unix:/x")));
  CHECK_FALSE(Network().contains(must("1.2.3.4:1")));
  CHECK(net("10.0.0.1").contains(must("10.0.0.1:1")));
  CHECK_FALSE(net("10.0.0.1").contains(must("10.0.0.2:1")));
}

TEST_CASE("what is not a network is refused with a reason") {
  const auto text_of = [](const char* text) {
    const auto network = Network::parse(text);
    return network ? std::string() : network.error().text;
  };
  CHECK(text_of("10.0.0.1/8") ==
        "\"10.0.0.1/8\" has bits set behind its prefix, the network is \"10.0.0.0/8\"");
  CHECK(text_of("10.0.0.0/33") == "\"10.0.0.0/33\": the prefix is a number from 0 to 32");
  CHECK(text_of("::/129") == "\"::/129\": the prefix is a number from 0 to 128");
  CHECK(text_of("net") == "\"net\" is not a network such as \"10.0.0.0/8\"");
  CHECK(!text_of("10.0.0.0/").empty());
  CHECK(!text_of("/8").empty());
  CHECK(!text_of("10.0.0.0/8/8").empty());
}

TEST_CASE("a client stands for its /32 or its /64") {
  CHECK(client_prefix(must("10.1.2.3:80")).print() == "10.1.2.3/32");
  CHECK(client_prefix(must("[::ffff:10.1.2.3]:80")).print() == "10.1.2.3/32");
  CHECK(client_prefix(must("[2001:db8:1:2:3:4:5:6]:80")).print() == "2001:db8:1:2::/64");
  CHECK(client_prefix(must("[2001:db8:1:2::9]:1")) == client_prefix(must("[2001:db8:1:2::8]:2")));
  CHECK(client_prefix(must("unix:/x")) == Network());
  const std::unordered_set<Network> set = {client_prefix(must("1.1.1.1:1")),
                                           client_prefix(must("1.1.1.1:2"))};
  CHECK(set.size() == 1);
}

}  // namespace
}  // namespace limpet
