// SPDX-License-Identifier: Apache-2.0
#pragma once
// Address: a socket address as a value (IPv4, IPv6, Unix path), and Network: a block of addresses
// in CIDR form. Literals only: names are resolved elsewhere, by discovery. No sockets are opened
// here.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <sys/socket.h>

#include "daemon/base/result.h"

namespace limpet {

/// What kind of address it is; kNone is the empty value.
enum class Family : std::uint8_t { kNone, kIp4, kIp6, kUnix };

/// One socket address: host and port, or the path of a Unix socket.
/// Cost: 136 bytes, no allocation.
class Address {
 public:
  Address() = default;

  /// Reads "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "localhost:80", "unix:/path",
  /// "unix:@abstract". Errors: says what is wrong with the text; a host name other than localhost
  /// is refused, not resolved.
  [[nodiscard]] static Result<Address> parse(std::string_view text);
  /// Reads an IP address without a port, brackets allowed around IPv6; the port is 0.
  [[nodiscard]] static Result<Address> parse_ip(std::string_view text);
  /// What accept(2), getpeername(2) or getsockname(2) filled in; an unknown family gives the empty
  /// value.
  [[nodiscard]] static Address from_sockaddr(const sockaddr* raw, socklen_t length) noexcept;

  [[nodiscard]] Family family() const noexcept;
  [[nodiscard]] bool is_empty() const noexcept { return family() == Family::kNone; }
  [[nodiscard]] bool is_ip() const noexcept {
    return family() == Family::kIp4 || family() == Family::kIp6;
  }
  [[nodiscard]] bool is_unix() const noexcept { return family() == Family::kUnix; }
  [[nodiscard]] bool is_loopback() const noexcept;
  /// Whether it stands for every address of the machine (0.0.0.0 or ::).
  [[nodiscard]] bool is_any() const noexcept;

  /// The port; 0 for a Unix socket.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// The same host with another port; a Unix address stays as it is.
  [[nodiscard]] Address with_port(std::uint16_t port) const noexcept;
  /// The IPv4 address inside ::ffff:a.b.c.d, otherwise the address itself.
  [[nodiscard]] Address unmapped() const noexcept;
  /// The path of a Unix socket, "@name" for an abstract one, "" otherwise.
  [[nodiscard]] std::string unix_path() const;

  /// "127.0.0.1:80", "[::1]:80", "unix:/path"; parse() reads it back.
  [[nodiscard]] std::string print() const;
  /// The IP address alone, "127.0.0.1" or "::1"; "unix:" with the path for a Unix socket.
  [[nodiscard]] std::string print_host() const;

  [[nodiscard]] const sockaddr* as_sockaddr() const noexcept;
  [[nodiscard]] socklen_t length() const noexcept { return length_; }
  /// The network-order bytes of the IP address: 4, 16 or none.
  [[nodiscard]] std::string_view ip_bytes() const noexcept;
  [[nodiscard]] std::size_t hash() const noexcept;

  friend bool operator==(const Address& a, const Address& b) noexcept;
  friend std::strong_ordering operator<=>(const Address& a, const Address& b) noexcept;

 private:
  [[nodiscard]] std::string_view raw() const noexcept;

  alignas(8) std::array<char, sizeof(sockaddr_storage)> storage_{};
  socklen_t length_ = 0;
};

/// A block of IP addresses such as 10.0.0.0/8 or 2001:db8::/32.
class Network {
 public:
  Network() = default;
  /// Reads "10.0.0.0/8", "::1/128" or a single address.
  /// Errors: says what is wrong; bits set behind the prefix are refused and the right network is
  /// named.
  [[nodiscard]] static Result<Network> parse(std::string_view text);
  /// The network of `bits` leading bits around an IP address; bits behind it are cleared.
  [[nodiscard]] static Network around(const Address& address, unsigned bits) noexcept;

  /// Whether the address lies inside; ::ffff:a.b.c.d counts as a.b.c.d.
  [[nodiscard]] bool contains(const Address& address) const noexcept;
  [[nodiscard]] std::string print() const;
  [[nodiscard]] std::size_t hash() const noexcept;

  friend bool operator==(const Network& a, const Network& b) noexcept = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  Family family_ = Family::kNone;
  std::uint8_t bits_ = 0;
};

/// The network that stands for one client: its /32, or its /64 under IPv6. Empty for a Unix socket.
[[nodiscard]] Network client_prefix(const Address& address) noexcept;

}  // namespace limpet

template <>
struct std::hash<limpet::Address> {
  std::size_t operator()(const limpet::Address& address) const noexcept { return address.hash(); }
};
template <>
struct std::hash<limpet::Network> {
  std::size_t operator()(const limpet::Network& network) const noexcept { return network.hash(); }
};
