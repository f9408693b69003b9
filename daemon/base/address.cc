// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/address.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "daemon/base/text.h"

namespace limpet {
namespace {

constexpr std::size_t kUnixPathAt = offsetof(sockaddr_un, sun_path);
constexpr std::size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string quoted(std::string_view s) {
  std::string out = "\"";
  text::append_escaped(out, s);
  out += '"';
  return out;
}

template <typename Raw>
Address from_raw(const Raw& raw, std::size_t length = sizeof(Raw)) noexcept {
  sockaddr_storage storage{};
  std::memcpy(&storage, &raw, sizeof raw);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage),
                                static_cast<socklen_t>(length));
}

Result<Address> parse_unix(std::string_view path) {
  if (path.empty()) return Error{"expected a path behind \"unix:\""};
  if (path.find('\0') != std::string_view::npos) return Error{"a socket path holds no NUL"};
  const bool is_abstract = path.front() == '@';
  if (!is_abstract && path.front() != '/') {
    return Error{"the path of a Unix socket begins with \"/\", or with \"@\" for an abstract one"};
  }
  if (path.size() > kUnixPathMax) {
    return Error{"the path of a Unix socket has at most " + std::to_string(kUnixPathMax) +
                 " bytes, this one has " + std::to_string(path.size())};
  }
  sockaddr_un raw{};
  raw.sun_family = AF_UNIX;
  std::memcpy(raw.sun_path, path.data(), path.size());
  if (is_abstract) raw.sun_path[0] = '\0';
  return from_raw(raw, kUnixPathAt + path.size() + (is_abstract ? 0 : 1));
}

// inet_pton wants a terminated string; no IP literal is longer than this.
bool to_network_bytes(int family, std::string_view literal, void* out) {
  std::array<char, 64> terminated{};
  if (literal.size() >= terminated.size() || literal.find('\0') != std::string_view::npos) {
    return false;
  }
  std::copy(literal.begin(), literal.end(), terminated.begin());
  return ::inet_pton(family, terminated.data(), out) == 1;
}

std::optional<std::uint32_t> scope_id(std::string_view name) {
  if (const auto number = text::parse_unsigned(name)) {
    if (*number == 0 || *number > 0xffffffff) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
  }
  const unsigned index = ::if_nametoindex(std::string(name).c_str());
  if (index == 0) return std::nullopt;
  return index;
}

std::optional<Address> ip4(std::string_view host, std::uint16_t port) {
  sockaddr_in raw{};
  raw.sin_family = AF_INET;
  raw.sin_port = htons(port);
  if (!to_network_bytes(AF_INET, host, &raw.sin_addr)) return std::nullopt;
  return from_raw(raw);
}

std::optional<Address> ip6(std::string_view host, std::uint16_t port) {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(port);
  const std::size_t percent = host.find('%');
  if (percent != std::string_view::npos) {
    const auto scope = scope_id(host.substr(percent + 1));
    if (!scope) return std::nullopt;
    raw.sin6_scope_id = *scope;
    host = host.substr(0, percent);
  }
  if (!to_network_bytes(AF_INET6, host, &raw.sin6_addr)) return std::nullopt;
  return from_raw(raw);
}

Result<std::uint16_t> parse_port(std::string_view digits, std::string_view whole) {
  const auto port = text::parse_unsigned(digits);
  if (!port || *port > 65535) {
    return Error{quoted(digits) + " in " + quoted(whole) + " is not a port from 0 to 65535"};
  }
  return static_cast<std::uint16_t>(*port);
}

Result<Address> parse_bracketed(std::string_view whole) {
  const std::size_t close = whole.find(']');
  if (close == std::string_view::npos) return Error{"\"[\" without \"]\" in " + quoted(whole)};
  if (close + 1 >= whole.size() || whole[close + 1] != ':') {
    return Error{"expected \":PORT\" behind \"]\" in " + quoted(whole)};
  }
  const auto port = parse_port(whole.substr(close + 2), whole);
  if (!port) return port.error();
  const std::string_view host = whole.substr(1, close - 1);
  if (const auto address = ip6(host, *port)) return *address;
  return Error{quoted(host) + " is not an IPv6 address"};
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) return parse_unix(text.substr(kUnix.size()));
  if (text.starts_with('[')) return parse_bracketed(text);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return Error{quoted(text) + " has no port, expected HOST:PORT such as \"127.0.0.1:8080\""};
  }
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos) {
    return Error{"an IPv6 address stands in brackets, such as \"[::1]:8080\", found " +
                 quoted(text)};
  }
  const auto port = parse_port(text.substr(colon + 1), text);
  if (!port) return port.error();
  if (host == "localhost") return *ip4("127.0.0.1", *port);
  if (const auto address = ip4(host, *port)) return *address;
  return Error{quoted(host) +
               " is not an IP address; names are not resolved here, only \"localhost\" is known"};
}

Result<Address> Address::parse_ip(std::string_view text) {
  std::string_view host = text;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (const auto address = ip6(host, 0)) return *address;
    return Error{quoted(text) + " is not an IP address"};
  }
  if (const auto address = ip4(host, 0)) return *address;
  if (const auto address = ip6(host, 0)) return *address;
  return Error{quoted(text) + " is not an IP address"};
}

Address Address::from_sockaddr(const sockaddr* raw, socklen_t length) noexcept {
  Address address;
  if (raw == nullptr || length < sizeof(sa_family_t)) return address;
  sa_family_t family = 0;
  std::memcpy(&family, raw, sizeof family);
  if (family == AF_INET && length >= sizeof(sockaddr_in)) {
    address.length_ = sizeof(sockaddr_in);
  } else if (family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    address.length_ = sizeof(sockaddr_in6);
  } else if (family == AF_UNIX) {
    address.length_ = std::min<socklen_t>(length, sizeof(sockaddr_un));
  }
  std::memcpy(address.storage_.data(), raw, address.length_);
  // sin_zero and the IPv6 flow label are no part of the address: two addresses are equal without
  // them.
  if (family == AF_INET && address.length_ != 0) {
    std::fill_n(address.storage_.begin() + offsetof(sockaddr_in, sin_zero),
                sizeof(sockaddr_in::sin_zero), '\0');
  } else if (family == AF_INET6 && address.length_ != 0) {
    std::fill_n(address.storage_.begin() + offsetof(sockaddr_in6, sin6_flowinfo),
                sizeof(sockaddr_in6::sin6_flowinfo), '\0');
  }
  return address;
}

const sockaddr* Address::as_sockaddr() const noexcept {
  return reinterpret_cast<const sockaddr*>(storage_.data());
}

std::string_view Address::raw() const noexcept { return {storage_.data(), length_}; }

Family Address::family() const noexcept {
  if (length_ == 0) return Family::kNone;
  sa_family_t family = 0;
  std::memcpy(&family, storage_.data(), sizeof family);
  if (family == AF_INET) return Family::kIp4;
  return family == AF_INET6 ? Family::kIp6 : Family::kUnix;
}

std::string_view Address::ip_bytes() const noexcept {
  if (family() == Family::kIp4) return raw().substr(offsetof(sockaddr_in, sin_addr), 4);
  if (family() == Family::kIp6) return raw().substr(offsetof(sockaddr_in6, sin6_addr), 16);
  return {};
}

bool Address::is_loopback() const noexcept {
  const Address plain = unmapped();
  const std::string_view bytes = plain.ip_bytes();
  if (bytes.size() == 4) return bytes.front() == 127;
  if (bytes.empty()) return false;
  return bytes.back() == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](char c) { return c == 0; });
}

bool Address::is_any() const noexcept {
  const std::string_view bytes = ip_bytes();
  return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

std::uint16_t Address::port() const noexcept {
  if (!is_ip()) return 0;
  // sin_port and sin6_port lie at the same place.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  in_port_t port = 0;
  std::memcpy(&port, storage_.data() + offsetof(sockaddr_in, sin_port), sizeof port);
  return ntohs(port);
}

Address Address::with_port(std::uint16_t port) const noexcept {
  Address changed = *this;
  if (!is_ip()) return changed;
  const in_port_t raw_port = htons(port);
  std::memcpy(changed.storage_.data() + offsetof(sockaddr_in, sin_port), &raw_port,
              sizeof raw_port);
  return changed;
}

Address Address::unmapped() const noexcept {
  const std::string_view bytes = ip_bytes();
  if (bytes.size() != 16 ||
      std::memcmp(bytes.data(), kMappedPrefix.data(), kMappedPrefix.size()) != 0) {
    return *this;
  }
  sockaddr_in plain{};
  plain.sin_family = AF_INET;
  plain.sin_port = htons(port());
  std::memcpy(&plain.sin_addr, bytes.data() + kMappedPrefix.size(), 4);
  return from_raw(plain);
}

std::string Address::unix_path() const {
  if (!is_unix() || length_ <= kUnixPathAt) return {};
  std::string path(raw().substr(kUnixPathAt));
  if (path.front() == '\0') {
    path.front() = '@';
    return path;
  }
  path.resize(std::min(path.find('\0'), path.size()));
  return path;
}

std::string Address::print_host() const {
  if (is_unix()) return "unix:" + unix_path();
  if (!is_ip()) return {};
  std::array<char, INET6_ADDRSTRLEN> out{};
  const int raw_family = family() == Family::kIp4 ? AF_INET : AF_INET6;
  if (::inet_ntop(raw_family, ip_bytes().data(), out.data(), out.size()) == nullptr) return {};
  std::string host = out.data();
  if (family() == Family::kIp6) {
    std::uint32_t scope = 0;
    std::memcpy(&scope, storage_.data() + offsetof(sockaddr_in6, sin6_scope_id), sizeof scope);
    if (scope != 0) host += '%' + std::to_string(scope);
  }
  return host;
}

std::string Address::print() const {
  if (!is_ip()) return print_host();
  const std::string port_text = ':' + std::to_string(port());
  if (family() == Family::kIp4) return print_host() + port_text;
  return '[' + print_host() + ']' + port_text;
}

std::size_t Address::hash() const noexcept { return std::hash<std::string_view>{}(raw()); }

bool operator==(const Address& a, const Address& b) noexcept { return a.raw() == b.raw(); }

std::strong_ordering operator<=>(const Address& a, const Address& b) noexcept {
  return a.raw() <=> b.raw();
}

Result<Network> Network::parse(std::string_view text) {
  std::string_view bits_text = text;
  const std::string_view host = text::cut(bits_text, '/');
  const auto address = Address::parse_ip(host);
  if (!address) return Error{quoted(text) + " is not a network such as \"10.0.0.0/8\""};
  const unsigned bits_max = address->family() == Family::kIp4 ? 32 : 128;
  if (text.find('/') == std::string_view::npos) return around(*address, bits_max);
  const auto bits = text::parse_unsigned(bits_text);
  if (!bits || *bits > bits_max) {
    return Error{quoted(text) + ": the prefix is a number from 0 to " + std::to_string(bits_max)};
  }
  const Network network = around(*address, static_cast<unsigned>(*bits));
  const std::string_view bytes = address->ip_bytes();
  if (std::memcmp(network.bytes_.data(), bytes.data(), bytes.size()) != 0) {
    return Error{quoted(text) + " has bits set behind its prefix, the network is " +
                 quoted(network.print())};
  }
  return network;
}

Network Network::around(const Address& address, unsigned bits) noexcept {
  Network network;
  const std::string_view bytes = address.ip_bytes();
  if (bytes.empty()) return network;
  network.family_ = address.family();
  network.bits_ = static_cast<std::uint8_t>(std::min<std::size_t>(bits, bytes.size() * 8));
  std::memcpy(network.bytes_.data(), bytes.data(), bytes.size());
  for (std::size_t bit = network.bits_; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
    network.bytes_[bit / 8] = network.bytes_[bit / 8] & mask;
  }
  return network;
}

bool Network::contains(const Address& address) const noexcept {
  if (family_ == Family::kNone) return false;
  if (address.family() == family_ && around(address, bits_) == *this) return true;
  const Address plain = address.unmapped();
  return plain.family() == family_ && around(plain, bits_) == *this;
}

std::string Network::print() const {
  if (family_ == Family::kNone) return {};
  std::array<char, INET6_ADDRSTRLEN> out{};
  const int raw_family = family_ == Family::kIp4 ? AF_INET : AF_INET6;
  if (::inet_ntop(raw_family, bytes_.data(), out.data(), out.size()) == nullptr) return {};
  return std::string(out.data()) + '/' + std::to_string(bits_);
}

std::size_t Network::hash() const noexcept {
  std::array<char, 18> all{};
  std::memcpy(all.data(), bytes_.data(), bytes_.size());
  all[16] = static_cast<char>(family_);
  all[17] = static_cast<char>(bits_);
  return std::hash<std::string_view>{}({all.data(), all.size()});
}

Network client_prefix(const Address& address) noexcept {
  const Address plain = address.unmapped();
  return Network::around(plain, plain.family() == Family::kIp4 ? 32 : 64);
}

}  // namespace limpet
