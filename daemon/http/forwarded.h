// SPDX-License-Identifier: Apache-2.0
#pragma once
// forwarded: what limpet tells the other side about the way a message came: Via, X-Forwarded-For,
// -Proto, -Host and Forwarded; and which client address to believe. Who is trusted is the caller's
// knowledge (a listener's `trusted`).

#include <cstdint>
#include <string_view>

#include "daemon/http/message.h"

namespace limpet {

/// Whether the peer's own X-Forwarded-* and Forwarded fields are believed.
enum class ClientTrust : std::uint8_t { kUntrusted, kTrusted };
enum class ForwardedField : std::uint8_t { kOff, kOn };

/// What limpet knows of the client's connection.
struct ForwardingFacts {
  std::string_view
      client_address;      ///< the peer as text, IPv6 without brackets; empty on a Unix socket
  bool is_secure = false;  ///< it came by TLS: https
  ClientTrust trust = ClientTrust::kUntrusted;
  ForwardedField forwarded = ForwardedField::kOff;  ///< whether Forwarded (RFC 7239) is written too
};

/// Adds Via and the forwarding fields to a request on its way to a replica. A trusted client's
/// fields are kept and appended to; everybody else's are replaced, with every other X-Forwarded-*
/// and X-Real-IP removed. The address is copied. RFC: 9110 section 7.6.3, 7239.
void add_forwarding(RequestHead& head, const ForwardingFacts& facts);

/// The value of Via for a message received in `received` version.
[[nodiscard]] inline std::string_view via_value(HttpVersion received) noexcept {
  // All as long, by the version's number.
  static constexpr char kValues[][11] = {"1.0 limpet", "1.1 limpet", "2.0 limpet"};
  return {kValues[static_cast<std::size_t>(received)], sizeof kValues[0] - 1};
}

/// Adds Via to a message received in `received` version; appended behind those that are there.
[[gnu::always_inline]] inline void add_via(HeaderList& fields, HttpVersion received) {
  constexpr std::size_t kNameBytes = 3;
  static constexpr char kLines[][18] = {"via: 1.0 limpet\r\n", "via: 1.1 limpet\r\n",
                                        "via: 2.0 limpet\r\n"};
  fields.add_line(FieldName::kVia,
                  {kLines[static_cast<std::size_t>(received)], sizeof kLines[0] - 1}, kNameBytes);
}

/// A question about an address as text ("192.0.2.1", "2001:db8::1").
class AddressPredicate {
 public:
  virtual ~AddressPredicate() = default;
  [[nodiscard]] virtual bool contains(std::string_view address) const = 0;
};

/// The address of the client that stands before the trusted hops: `peer`, or, as long as what we
/// have is trusted, the one before it in X-Forwarded-For, or in Forwarded where that is missing.
/// Ports and brackets are taken off; an entry that is no IP address ends the search. Borrows: the
/// result points into `peer` or into a field's value.
[[gnu::noinline]] [[nodiscard]] std::string_view true_client(const HeaderList& fields,
                                                             std::string_view peer,
                                                             const AddressPredicate& trusted);

/// The IP address in an X-Forwarded-For entry or a Forwarded node ("192.0.2.1:80",
/// "[2001:db8::1]:80"), or empty. RFC: 7239 section 6.
[[nodiscard]] std::string_view node_address(std::string_view node) noexcept;

}  // namespace limpet
