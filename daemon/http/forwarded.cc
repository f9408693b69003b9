// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/forwarded.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include <arpa/inet.h>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"

namespace limpet {

namespace {

// How a request came: X-Forwarded-Proto and Via as they mostly are, side by side.
struct Hop {
  static constexpr std::size_t kProtoNameBytes = 17;
  static constexpr std::size_t kViaNameBytes = 3;
  static constexpr std::size_t kViaBytes = sizeof "via: 1.1 limpet\r\n" - 1;

  std::size_t proto_bytes = 0;   // of its line; that of Via follows
  std::array<char, 48> lines{};  // whole vectors, which are copied without a call

  [[nodiscard]] std::string_view via() const noexcept {
    return {lines.data() + proto_bytes, kViaBytes};
  }
};

template <std::size_t kSize>
[[nodiscard]] consteval Hop hop_of(const char (&lines)[kSize]) {
  Hop hop;
  hop.proto_bytes = kSize - 1 - Hop::kViaBytes;
  std::copy_n(lines, kSize - 1, hop.lines.data());
  return hop;
}

constexpr std::array<std::array<Hop, 3>, 2> kHops = {
    {{hop_of("x-forwarded-proto: http\r\nvia: 1.0 limpet\r\n"),
      hop_of("x-forwarded-proto: http\r\nvia: 1.1 limpet\r\n"),
      hop_of("x-forwarded-proto: http\r\nvia: 2.0 limpet\r\n")},
     {hop_of("x-forwarded-proto: https\r\nvia: 1.0 limpet\r\n"),
      hop_of("x-forwarded-proto: https\r\nvia: 1.1 limpet\r\n"),
      hop_of("x-forwarded-proto: https\r\nvia: 2.0 limpet\r\n")}}};

// Field lines written side by side, so that they are sent in one piece.
class LineBlock {
 public:
  LineBlock(HeaderList& fields, std::size_t bytes_max)
      : fields_(fields), at_(fields.arena().allocate_text(bytes_max)) {}

  /// `start` is the name with ": ", a literal.
  template <std::size_t kSize>
  void add(FieldName id, const char (&start)[kSize], std::string_view value) {
    char* const line = at_;
    std::memcpy(line, start, kSize - 1);
    at_ = text::put_short(line + kSize - 1, value);
    std::memcpy(at_, "\r\n", 2);
    at_ += 2;
    fields_.add_line(id, {line, static_cast<std::size_t>(at_ - line)}, kSize - 3);
  }
  /// X-Forwarded-Proto and Via. Needs sizeof(Hop::lines) of room.
  void add(const Hop& hop) {
    std::memcpy(at_, hop.lines.data(), hop.lines.size());
    fields_.add_line(FieldName::kXForwardedProto, {at_, hop.proto_bytes}, Hop::kProtoNameBytes);
    at_ += hop.proto_bytes;
    fields_.add_line(FieldName::kVia, {at_, Hop::kViaBytes}, Hop::kViaNameBytes);
    at_ += Hop::kViaBytes;
  }

 private:
  HeaderList& fields_;
  char* at_;
};

[[nodiscard]] bool is_address(std::string_view text, int family) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return false;
  std::memcpy(terminated.data(), text.data(), text.size());
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(family, terminated.data(), address.data()) == 1;
}

// Every entry of the list fields `id`, split at commas outside quotes, from the last back to the
// first.
class EntriesBackwards {
 public:
  EntriesBackwards(const HeaderList& fields, FieldName id) noexcept
      : fields_(fields.fields()), id_(id) {}

  [[nodiscard]] bool next(std::string_view& entry) noexcept {
    while (!has_value_) {
      if (fields_.empty()) return false;
      const Field& field = fields_.back();
      fields_ = fields_.first(fields_.size() - 1);
      if (field.id != id_ || field.is_removed()) continue;
      value_ = field.value();
      has_value_ = true;
    }
    const std::size_t comma = last_comma();
    entry = text::trim(comma == std::string_view::npos ? value_ : value_.substr(comma + 1));
    has_value_ = comma != std::string_view::npos;
    value_ = value_.substr(0, has_value_ ? comma : 0);
    return true;
  }

 private:
  [[nodiscard]] std::size_t last_comma() const noexcept {
    bool is_quoted = false;
    for (std::size_t at = value_.size(); at > 0; --at) {
      const char c = value_[at - 1];
      if (c == '"') is_quoted = !is_quoted;
      if (c == ',' && !is_quoted) return at - 1;
    }
    return std::string_view::npos;
  }

  std::span<const Field> fields_;
  FieldName id_;
  std::string_view value_;
  bool has_value_ = false;
};

// The node of "for=" in one element of Forwarded, without quotes, or empty.
[[nodiscard]] std::string_view forwarded_for(std::string_view element) noexcept {
  while (!element.empty()) {
    std::string_view value = text::trim(text::cut(element, ';'));
    const std::string_view name = text::trim(text::cut(value, '='));
    if (!text::equals_ignoring_case(name, "for")) continue;
    value = text::trim(value);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

constexpr std::uint64_t kForwardingNames =
    HeaderList::bit(FieldName::kXForwardedFor) | HeaderList::bit(FieldName::kXForwardedHost) |
    HeaderList::bit(FieldName::kXForwardedPort) | HeaderList::bit(FieldName::kXForwardedProto) |
    HeaderList::bit(FieldName::kXRealIp) | HeaderList::bit(FieldName::kForwarded);

[[gnu::noinline]] void remove_forwarding(HeaderList& fields) noexcept {
  constexpr std::string_view kStart = "x-forwarded-";
  for (Field& field : fields.fields()) {
    const bool is_known = (HeaderList::bit(field.id) & kForwardingNames) != 0;
    if (is_known || (field.id == FieldName::kOther && field.name().starts_with(kStart)))
      fields.remove(field);
  }
}

// One field with all values of that name and `value` behind them.
[[gnu::noinline]] void append(HeaderList& fields, FieldName id, std::string_view value) {
  std::string_view joined;
  for (const Field& field : fields.fields()) {
    if (field.id != id || field.is_removed() || field.value().empty()) continue;
    joined = joined.empty() ? field.value() : fields.arena().join(joined, ", ", field.value());
  }
  fields.set(
      id, joined.empty() ? fields.arena().copy(value) : fields.arena().join(joined, ", ", value));
}

// A token, or a quoted-string of it: a host with a port needs quotes (RFC 7239 section 4).
[[nodiscard]] std::string_view quoted_if_needed(Arena& arena, std::string_view text) {
  return chars::is_token(text) ? text : arena.join("\"", text, "\"");
}

[[gnu::noinline]] void add_forwarded(RequestHead& head, std::string_view client_address,
                                     std::string_view proto) {
  Arena& arena = head.fields.arena();
  std::string_view node = "unknown";
  if (client_address.find(':') != std::string_view::npos) {
    node = arena.join("\"[", client_address, "]\"");
  } else if (!client_address.empty()) {
    node = client_address;
  }
  std::string_view element = arena.join("for=", node, ";proto=", proto);
  // The authority was judged by RFC 3986: it holds neither quotes nor backslashes.
  if (!head.authority.empty())
    element = arena.join(element, ";host=", quoted_if_needed(arena, head.authority));
  append(head.fields, FieldName::kForwarded, element);
}

}  // namespace

void add_forwarding(RequestHead& head, const ForwardingFacts& facts) {
  HeaderList& fields = head.fields;
  if (facts.trust == ClientTrust::kUntrusted &&
      fields.may_have_any(kForwardingNames | HeaderList::bit(FieldName::kOther)))
    remove_forwarding(fields);
  constexpr std::size_t kNamesBytes = 64;  // with separators and line ends
  LineBlock lines(fields, kNamesBytes + facts.client_address.size() + head.authority.size() +
                              sizeof(Hop::lines));
  if (!facts.client_address.empty()) {
    if (fields.find(FieldName::kXForwardedFor) != nullptr) {
      append(fields, FieldName::kXForwardedFor, facts.client_address);
    } else {
      lines.add(FieldName::kXForwardedFor, "x-forwarded-for: ", facts.client_address);
    }
  }
  if (!head.authority.empty() && fields.find(FieldName::kXForwardedHost) == nullptr) {
    lines.add(FieldName::kXForwardedHost, "x-forwarded-host: ", head.authority);
  }
  if (facts.forwarded == ForwardedField::kOn)
    add_forwarded(head, facts.client_address, facts.is_secure ? "https" : "http");
  const Hop& hop = kHops[facts.is_secure ? 1 : 0][static_cast<std::size_t>(head.version)];
  if (fields.find(FieldName::kXForwardedProto) == nullptr) {
    lines.add(hop);
  } else {
    fields.add_line(FieldName::kVia, hop.via(), Hop::kViaNameBytes);
  }
}

std::string_view node_address(std::string_view node) noexcept {
  node = text::trim(node);
  if (node.starts_with('[')) {
    const std::size_t close = node.find(']');
    if (close == std::string_view::npos) return {};
    const std::string_view behind = node.substr(close + 1);
    const std::string_view inside = node.substr(1, close - 1);
    return (behind.empty() || behind.front() == ':') && is_address(inside, AF_INET6)
               ? inside
               : std::string_view{};
  }
  if (std::count(node.begin(), node.end(), ':') > 1)
    return is_address(node, AF_INET6) ? node : std::string_view{};
  const std::string_view host = node.substr(0, node.find(':'));
  return is_address(host, AF_INET) ? host : std::string_view{};
}

std::string_view true_client(const HeaderList& fields, std::string_view peer,
                             const AddressPredicate& trusted) {
  std::string_view client = peer;
  const bool has_list = fields.find(FieldName::kXForwardedFor) != nullptr;
  EntriesBackwards entries(fields, has_list ? FieldName::kXForwardedFor : FieldName::kForwarded);
  std::string_view entry;
  while (trusted.contains(client) && entries.next(entry)) {
    const std::string_view before = node_address(has_list ? entry : forwarded_for(entry));
    if (before.empty()) break;
    client = before;
  }
  return client;
}

}  // namespace limpet
