// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/proxy_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"

namespace limpet {
namespace {

constexpr std::string_view kText = "PROXY ";
constexpr std::size_t kTextBytesMax = 107;  // section 2.1, the CRLF counted

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedBytes = 16;  // signature, version and command, family, length
constexpr std::size_t kUnixPathBytes = 108;

// Section 2.2: the high half of the byte is the family, the low half the transport, 1 a stream and
// 2 datagrams, which a sender in front of HTTP/3 may name.
enum class WireFamily : std::uint8_t { kUnspecified = 0, kIp4 = 1, kIp6 = 2, kUnix = 3 };
enum class Command : std::uint8_t { kLocal = 0, kProxy = 1 };

// Section 2.2.
constexpr char kTypeCrc32c = 0x03;
constexpr char kTypeSsl = 0x20;
constexpr std::uint8_t kClientSsl = 0x01;

ProxyReading refused(const char* reason) noexcept {
  ProxyReading reading;
  reading.state = ProxyReading::State::kRefused;
  reading.reason = reason;
  return reading;
}

constexpr std::uint8_t byte_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(bytes[at]);
}

constexpr std::uint16_t number_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// The address of `network_bytes`, 4 or 16 of them.
Address ip_address(std::string_view network_bytes, std::uint16_t port) noexcept {
  sockaddr_storage storage{};
  if (network_bytes.size() == sizeof(in_addr)) {
    sockaddr_in raw{};
    raw.sin_family = AF_INET;
    raw.sin_port = htons(port);
    std::memcpy(&raw.sin_addr, network_bytes.data(), sizeof raw.sin_addr);
    std::memcpy(&storage, &raw, sizeof raw);
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), sizeof raw);
  }
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(port);
  std::memcpy(&raw.sin6_addr, network_bytes.data(), sizeof raw.sin6_addr);
  std::memcpy(&storage, &raw, sizeof raw);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), sizeof raw);
}

// Version 1, section 2.1
// ------------------------------------------------------------------------------------------

bool take_ip(std::string_view text, int family, std::array<char, 16>& network_bytes) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  const auto may_stand = [family](char c) {
    return c == '.' ||
           (family == AF_INET ? text::is_digit(c) : c == ':' || chars::is(c, chars::kHexDigit));
  };
  if (!std::all_of(text.begin(), text.end(), may_stand)) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  return ::inet_pton(family, terminated.data(), network_bytes.data()) == 1;
}

bool take_port(std::string_view text, std::uint16_t& port) noexcept {
  if (text.size() > 1 && text.front() == '0') return false;
  const auto number = text::parse_unsigned(text);
  if (!number || *number > 65535) return false;
  port = static_cast<std::uint16_t>(*number);
  return true;
}

// "SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT"
const char* take_text_addresses(std::string_view rest, int family, ProxyHeader& header) noexcept {
  if (std::count(rest.begin(), rest.end(), ' ') != 3) {
    return "PROXY v1 section 2.1: two addresses and two ports, one space between them";
  }
  const std::size_t ip_bytes = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  std::array<char, 16> source{};
  std::array<char, 16> destination{};
  if (!take_ip(text::cut(rest, ' '), family, source) ||
      !take_ip(text::cut(rest, ' '), family, destination)) {
    return "PROXY v1 section 2.1: an address is not one of its family";
  }
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  if (!take_port(text::cut(rest, ' '), source_port) || !take_port(rest, destination_port)) {
    return "PROXY v1 section 2.1: a port is not a number from 0 to 65535";
  }
  header.kind = ProxyHeader::Kind::kForwarded;
  header.source = ip_address({source.data(), ip_bytes}, source_port);
  header.destination = ip_address({destination.data(), ip_bytes}, destination_port);
  return nullptr;
}

// `line` is between "PROXY " and CRLF.
const char* take_line(std::string_view line, ProxyHeader& header) noexcept {
  const bool has_more = line.find(' ') != std::string_view::npos;
  const std::string_view family = text::cut(line, ' ');
  header.version = ProxyVersion::k1;
  if (family == "UNKNOWN") return nullptr;  // what follows is to be disregarded
  if (family == "TCP4" && has_more) return take_text_addresses(line, AF_INET, header);
  if (family == "TCP6" && has_more) return take_text_addresses(line, AF_INET6, header);
  return "PROXY v1 section 2.1: the family is not TCP4, TCP6 or UNKNOWN";
}

ProxyReading read_text(std::string_view bytes) noexcept {
  const std::string_view window = bytes.substr(0, kTextBytesMax);
  const std::size_t end = window.find_first_of(std::string_view("\r\n\0", 3));
  if (end == std::string_view::npos || (window[end] == '\r' && end + 1 == window.size())) {
    if (bytes.size() >= kTextBytesMax) {
      return refused("PROXY v1 section 2.1: no CRLF within 107 bytes");
    }
    return {};
  }
  if (window[end] != '\r' || window[end + 1] != '\n') {
    return refused("PROXY v1 section 2.1: the line ends in CRLF");
  }
  ProxyReading reading;
  const char* fault = take_line(window.substr(kText.size(), end - kText.size()), reading.header);
  if (fault != nullptr) return refused(fault);
  reading.state = ProxyReading::State::kDone;
  reading.bytes = end + 2;
  return reading;
}

// Version 2, section 2.2
// ------------------------------------------------------------------------------------------

constexpr std::array<std::uint32_t, 256> kCrc32c = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = value >> 1 ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}();

// Of the whole header, the checksum at `hole` taken as zero.
std::uint32_t checksum_of(std::string_view header, std::size_t hole) noexcept {
  std::uint32_t sum = 0xffffffffU;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::uint8_t byte = i - hole < 4 ? std::uint8_t{0} : byte_at(header, i);
    sum = kCrc32c[(sum ^ byte) & 0xff] ^ sum >> 8;
  }
  return ~sum;
}

Address unix_address(std::string_view path) noexcept {
  sockaddr_un raw{};
  static_assert(sizeof raw.sun_path == kUnixPathBytes);
  // A name that begins with NUL is abstract; the zeros behind it are the field's, not its own.
  const std::size_t length = path.front() == '\0' ? path.find_last_not_of('\0') + 1
                                                  : std::min(path.find('\0'), kUnixPathBytes - 1);
  if (length == 0) return {};
  raw.sun_family = AF_UNIX;
  std::memcpy(raw.sun_path, path.data(), length);
  const bool is_abstract = path.front() == '\0';
  sockaddr_storage storage{};
  std::memcpy(&storage, &raw, sizeof raw);
  return Address::from_sockaddr(
      reinterpret_cast<const sockaddr*>(&storage),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (is_abstract ? 0 : 1)));
}

constexpr std::size_t address_bytes(WireFamily family) noexcept {
  switch (family) {
    case WireFamily::kIp4:
      return 2 * sizeof(in_addr) + 4;
    case WireFamily::kIp6:
      return 2 * sizeof(in6_addr) + 4;
    case WireFamily::kUnix:
      return 2 * kUnixPathBytes;
    case WireFamily::kUnspecified:
      break;
  }
  return 0;
}

// `block` has address_bytes(family).
void take_addresses(std::string_view block, WireFamily family, ProxyHeader& header) noexcept {
  if (family == WireFamily::kUnix) {
    header.source = unix_address(block.substr(0, kUnixPathBytes));
    header.destination = unix_address(block.substr(kUnixPathBytes));
    return;
  }
  const std::size_t ip_bytes = (block.size() - 4) / 2;
  header.source = ip_address(block.substr(0, ip_bytes), number_at(block, 2 * ip_bytes));
  header.destination =
      ip_address(block.substr(ip_bytes, ip_bytes), number_at(block, 2 * ip_bytes + 2));
}

// The type-length-value records from `at` to the end of the header, section 2.2.
const char* take_records(std::string_view whole, std::size_t at, ProxyHeader& header) noexcept {
  constexpr std::size_t kHeadBytes = 3;
  while (at < whole.size()) {
    if (whole.size() - at < kHeadBytes) return "PROXY v2 section 2.2: a record without a length";
    const char type = whole[at];
    const std::size_t length = number_at(whole, at + 1);
    at += kHeadBytes;
    if (whole.size() - at < length) return "PROXY v2 section 2.2: a record beyond the header's end";
    if (type == kTypeCrc32c) {
      if (length != 4) return "PROXY v2 section 2.2.3: a checksum has four bytes";
      const std::uint32_t sum =
          std::uint32_t{number_at(whole, at)} << 16 | number_at(whole, at + 2);
      if (sum != checksum_of(whole, at)) return "PROXY v2 section 2.2.3: the checksum does not fit";
    } else if (type == kTypeSsl) {
      if (length < 5) return "PROXY v2 section 2.2.6: a TLS record has five bytes at least";
      const bool is_tls = (byte_at(whole, at) & kClientSsl) != 0;
      header.tls = is_tls ? ProxyHeader::Tls::kYes : ProxyHeader::Tls::kNo;
    }
    at += length;
  }
  return nullptr;
}

const char* take_proxied(std::string_view whole, ProxyHeader& header) noexcept {
  const std::uint8_t family_byte = byte_at(whole, 13);
  if (family_byte == 0) return nullptr;  // unspecified: the rest is to be disregarded
  const auto family = static_cast<WireFamily>(family_byte >> 4);
  const unsigned transport = family_byte & 0xf;
  const std::size_t bytes = address_bytes(family);
  if (bytes == 0 || transport < 1 || transport > 2) {
    return "PROXY v2 section 2.2: the family is none that is defined";
  }
  if (whole.size() < kFixedBytes + bytes) {
    return "PROXY v2 section 2.2: shorter than the addresses of its family";
  }
  header.kind = ProxyHeader::Kind::kForwarded;
  take_addresses(whole.substr(kFixedBytes, bytes), family, header);
  return take_records(whole, kFixedBytes + bytes, header);
}

ProxyReading read_binary(std::string_view bytes) noexcept {
  if (bytes.size() == kSignature.size()) return {};
  const std::uint8_t version_and_command = byte_at(bytes, kSignature.size());
  const auto command = static_cast<Command>(version_and_command & 0xf);
  if (version_and_command >> 4 != 2 || command > Command::kProxy) {
    return refused("PROXY v2 section 2.2: the version is 2, the command LOCAL or PROXY");
  }
  if (bytes.size() < kFixedBytes) return {};
  const std::size_t length = kFixedBytes + number_at(bytes, kFixedBytes - 2);
  if (length > kProxyHeaderBytesMax) return refused("PROXY v2: longer than limpet reads");
  if (bytes.size() < length) return {};
  ProxyReading reading;
  reading.header.version = ProxyVersion::k2;
  if (command == Command::kLocal) {
    reading.header.kind = ProxyHeader::Kind::kLocal;
  } else if (const char* fault = take_proxied(bytes.substr(0, length), reading.header)) {
    return refused(fault);
  }
  reading.state = ProxyReading::State::kDone;
  reading.bytes = length;
  return reading;
}

// Writing
// ------------------------------------------------------------------------------------------

// The IP address in 4 bytes or, as ::ffff:a.b.c.d where it is one of IPv4, in 16.
std::string network_bytes(const Address& address, Family family) {
  const std::string_view own = address.ip_bytes();
  if (family == Family::kIp4 || own.size() == sizeof(in6_addr)) return std::string(own);
  return std::string(10, '\0') + "\xff\xff" + std::string(own);
}

// The family in which both can be written, or kNone.
Family common_family(const Address& a, const Address& b) noexcept {
  if (a.is_ip() && b.is_ip()) return a.family() == b.family() ? a.family() : Family::kIp6;
  return a.is_unix() && b.is_unix() ? Family::kUnix : Family::kNone;
}

std::string ip_text(const Address& address, Family family) {
  const std::string bytes = network_bytes(address, family);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family == Family::kIp4 ? AF_INET : AF_INET6, bytes.data(), text.data(),
              static_cast<socklen_t>(text.size()));
  return text.data();
}

std::string text_header(const Address& source, const Address& destination) {
  const Family family = common_family(source, destination);
  if (family != Family::kIp4 && family != Family::kIp6) return "PROXY UNKNOWN\r\n";
  std::string line = family == Family::kIp4 ? "PROXY TCP4 " : "PROXY TCP6 ";
  line += ip_text(source, family) + ' ' + ip_text(destination, family) + ' ';
  line += std::to_string(source.port()) + ' ' + std::to_string(destination.port()) + "\r\n";
  return line;
}

void append_number(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8 & 0xff);
  out += static_cast<char>(number & 0xff);
}

std::string unix_path_bytes(const Address& address) {
  constexpr std::size_t kPathAt = offsetof(sockaddr_un, sun_path);
  const std::string_view raw(reinterpret_cast<const char*>(address.as_sockaddr()),
                             address.length());
  std::string path(raw.substr(std::min(kPathAt, raw.size())));
  path.resize(kUnixPathBytes);
  return path;
}

std::string binary_header(const Address& source, const Address& destination) {
  std::string out(kSignature);
  const auto put = [&out](Command command, WireFamily family) {
    const bool is_specified = family != WireFamily::kUnspecified;
    out += static_cast<char>(0x20 | static_cast<unsigned>(command));
    out += static_cast<char>(static_cast<unsigned>(family) << 4 | (is_specified ? 1U : 0U));
    append_number(out, address_bytes(family));
  };
  switch (const Family family = common_family(source, destination)) {
    case Family::kIp4:
    case Family::kIp6:
      put(Command::kProxy, family == Family::kIp4 ? WireFamily::kIp4 : WireFamily::kIp6);
      out += network_bytes(source, family) + network_bytes(destination, family);
      append_number(out, source.port());
      append_number(out, destination.port());
      break;
    case Family::kUnix:
      put(Command::kProxy, WireFamily::kUnix);
      out += unix_path_bytes(source) + unix_path_bytes(destination);
      break;
    case Family::kNone:
      put(source.is_empty() ? Command::kLocal : Command::kProxy, WireFamily::kUnspecified);
      break;
  }
  return out;
}

}  // namespace

ProxyReading read_proxy_header(std::string_view bytes) noexcept {
  const auto may_become = [bytes](std::string_view opening) {
    const std::size_t length = std::min(bytes.size(), opening.size());
    return bytes.substr(0, length) == opening.substr(0, length);
  };
  if (bytes.empty()) return {};
  if (may_become(kText)) return bytes.size() < kText.size() ? ProxyReading{} : read_text(bytes);
  if (may_become(kSignature)) {
    return bytes.size() < kSignature.size() ? ProxyReading{} : read_binary(bytes);
  }
  return refused("PROXY section 2: the connection does not begin with a PROXY header");
}

void append_proxy_header(Buffer& out, ProxyVersion version, const Address& source,
                         const Address& destination) {
  if (version == ProxyVersion::k1) out.append(text_header(source, destination));
  if (version == ProxyVersion::k2) out.append(binary_header(source, destination));
}

}  // namespace limpet
