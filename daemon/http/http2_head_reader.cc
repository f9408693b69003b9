// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_head_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/http/authority.h"
#include "daemon/http/char_class.h"
#include "daemon/http/expectation.h"
#include "daemon/http/framing.h"
#include "daemon/http/hop_by_hop.h"
#include "daemon/http/http1_parser.h"

namespace limpet {

namespace {

constexpr std::size_t kTextBytes = 1024;
constexpr std::size_t kFieldCharge = 32;
constexpr std::size_t kLineExtra = 4;  // ": " and CRLF
constexpr std::size_t kNameBytesMax = std::numeric_limits<std::uint16_t>::max();
// Beyond so many times the bound the rest of a field block is not looked at any more.
constexpr std::size_t kHopelessTimes = 4;

constexpr Refusal kFieldsTooLarge = {Fault::kFieldsTooLarge,
                                     "RFC 6585 section 5: field lines too large"};
constexpr Refusal kTooManyFields = {Fault::kFieldsTooLarge,
                                    "RFC 6585 section 5: too many field lines"};

char* put(char* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

// RFC 3986 section 3.1. Empty for any other.
[[nodiscard]] std::string_view scheme_of(std::string_view value) noexcept {
  if (value == "https" || text::equals_ignoring_case(value, "https")) return "https";
  if (value == "http" || text::equals_ignoring_case(value, "http")) return "http";
  return {};
}

// RFC 9113 section 8.3.1: Host names the same entity as :authority, by another spelling perhaps.
[[nodiscard]] bool is_same_entity(std::string_view authority, std::string_view host,
                                  std::string_view scheme) noexcept {
  if (text::equals_ignoring_case(authority, host)) return true;
  Authority a;
  Authority b;
  if (!parse_authority(authority, a) || !parse_authority(host, b)) return false;
  const std::string_view usual_port = scheme == "https" ? "443" : "80";
  const auto port = [usual_port](const Authority& one) {
    return one.port.empty() ? usual_port : one.port;
  };
  return text::equals_ignoring_case(a.host, b.host) && port(a) == port(b);
}

}  // namespace

void Http2HeadReader::begin(Arena& arena, HeaderList& fields, Section section) {
  arena_ = &arena;
  fields_ = &fields;
  section_ = section;
  text_ = text_end_ = nullptr;
  cookies_ = 0;
  has_priority_ = false;
  path_ = protocol_ = {};
  refusal_ = {};
  static_cast<void>(fields.reserve(1));
}

void Http2HeadReader::begin_request(Arena& arena) {
  request_ = arena.make<RequestHead>(arena);
  charge_ = {};
  begin(arena, request_->fields, Section::kRequest);
}

void Http2HeadReader::begin_response(Arena& arena) {
  response_ = arena.make<ResponseHead>(arena);
  charge_ = {};
  begin(arena, response_->fields, Section::kResponse);
}

void Http2HeadReader::begin_trailers(Arena& arena, FieldCharge head) {
  charge_ = head;
  begin(arena, *arena.make<HeaderList>(arena), Section::kTrailers);
}

// Texts stand side by side, so that the HTTP/1 writer copies lines in one piece.
char* Http2HeadReader::room_for(std::size_t bytes) {
  if (static_cast<std::size_t>(text_end_ - text_) < bytes) {
    const std::size_t wanted =
        std::max(bytes, std::min(kTextBytes, arena_->room() & ~std::size_t{7}));
    const bool is_in_block = arena_->room() >= wanted;
    text_ = arena_->allocate_text(wanted);
    text_end_ = text_ + wanted;
    room_after_ = is_in_block ? arena_->room() : std::numeric_limits<std::size_t>::max();
  }
  return std::exchange(text_, text_ + bytes);
}

std::string_view Http2HeadReader::keep(std::string_view text) {
  if (text.empty()) return {};
  char* const place = room_for(text.size());
  std::memcpy(place, text.data(), text.size());
  return {place, text.size()};
}

// What was not used of the text's room goes back, if nothing was taken behind it.
void Http2HeadReader::close_text() noexcept {
  if (text_ != nullptr && arena_->room() == room_after_) arena_->take_back(text_);
  text_ = text_end_ = nullptr;
}

bool Http2HeadReader::charge_field(std::string_view name, std::string_view value) noexcept {
  const std::size_t bytes = charge_.bytes + name.size() + value.size() + kFieldCharge;
  const std::size_t fields = charge_.fields + std::size_t{1};
  charge_.bytes = static_cast<std::uint32_t>(
      std::min<std::size_t>(bytes, std::numeric_limits<std::uint32_t>::max() / 2));
  charge_.fields = static_cast<std::uint16_t>(
      std::min<std::size_t>(fields, std::numeric_limits<std::uint16_t>::max() - 1));
  if (bytes > limits_->header_bytes || name.size() > kNameBytesMax) refuse(kFieldsTooLarge);
  if (fields > limits_->header_fields) refuse(kTooManyFields);
  return bytes <= limits_->header_bytes && fields <= limits_->header_fields &&
         name.size() <= kNameBytesMax;
}

bool Http2HeadReader::add(std::string_view name, std::string_view value) {
  if (section_ == Section::kNothing) return true;
  if (name.starts_with(':')) return add_pseudo(name, value);
  if (!charge_field(name, value)) [[unlikely]]
    return charge_.bytes / kHopelessTimes <= limits_->header_bytes &&
           charge_.fields / kHopelessTimes <= limits_->header_fields;
  const FieldName id = known_name(name);
  if (id == FieldName::kHost && section_ == Section::kRequest) {
    add_host(value);
  } else {
    add_regular(id, name, value);
  }
  return true;
}

void Http2HeadReader::add_regular(FieldName id, std::string_view name, std::string_view value) {
  if (id == FieldName::kCookie) ++cookies_;
  if (id == FieldName::kOther && name == "priority") has_priority_ = true;
  const std::size_t bytes = name.size() + value.size() + kLineExtra;
  char* const line = room_for(bytes);
  char* at = put(line, name);
  at = put(at, ": ");
  at = put(at, value);
  put(at, "\r\n");
  fields_->add_line(id, {line, bytes}, name.size());
}

void Http2HeadReader::add_host(std::string_view value) {
  const Field* const known = fields_->find(FieldName::kHost);
  if (known == nullptr) {
    add_regular(FieldName::kHost, spelling(FieldName::kHost), value);
  } else if (!is_same_entity(known->value(), value, request_->scheme)) {
    refuse(bad("RFC 9113 section 8.3.1: Host differs from :authority"));
  }
}

// The library sees to it that each is there once at the most, before all regular fields, and is one
// that the message may have.
bool Http2HeadReader::add_pseudo(std::string_view name, std::string_view value) {
  const std::size_t line_bytes_max = limits_->request_line_bytes;
  if (name == ":status") {
    // Three digits, says the library.
    response_->status = static_cast<std::uint16_t>((value[0] - '0') * 100 + (value[1] - '0') * 10 +
                                                   (value[2] - '0'));
  } else if (name == ":authority") {
    add_authority(value);
  } else if (name == ":scheme") {
    request_->scheme = scheme_of(value);
    if (request_->scheme.empty()) refuse(bad("RFC 9110 section 4.2: :scheme is not http or https"));
  } else if (value.size() > line_bytes_max) {
    refuse({Fault::kTargetTooLong, "RFC 9110 section 15.5.15: target too long"});
  } else if (name == ":path") {
    path_ = keep(value);
  } else if (name == ":method") {
    if (!chars::is_token(value)) refuse(bad("RFC 9110 section 9.1: :method is not a token"));
    request_->method_text = keep(value);
    request_->method = method_of(value);
  } else {
    protocol_ = keep(value);
  }
  return true;
}

void Http2HeadReader::add_authority(std::string_view value) {
  const std::string_view host = spelling(FieldName::kHost);
  if (charge_field(host, value)) add_regular(FieldName::kHost, host, value);
}

// RFC 9113 section 8.2.3. Empty crumbs would leave a space at the end, which no value may have.
void Http2HeadReader::join_cookies() {
  if (cookies_ < 2) return;
  constexpr std::string_view kStart = "cookie: ";
  constexpr std::string_view kBetween = "; ";
  std::size_t bytes_max = kStart.size() + 2;
  for (const Field& field : fields_->fields()) {
    if (field.id == FieldName::kCookie) bytes_max += field.value().size() + kBetween.size();
  }
  char* const line = room_for(bytes_max);
  char* const start = put(line, kStart);
  char* at = start;
  for (Field& field : fields_->fields()) {
    if (field.id != FieldName::kCookie) continue;
    fields_->remove(field);
    if (field.value().empty()) continue;
    if (at != start) at = put(at, kBetween);
    at = put(at, field.value());
  }
  at = put(at, "\r\n");
  fields_->add_line(FieldName::kCookie, {line, static_cast<std::size_t>(at - line)},
                    spelling(FieldName::kCookie).size());
}

Refusal Http2HeadReader::finish_request(EndOfStream end, RequestHead*& head) {
  if (!refusal_.is_refused()) join_cookies();
  close_text();
  if (refusal_.is_refused()) return refusal_;
  request_->version = HttpVersion::kHttp2;
  Refusal refusal = read_request_line();
  if (!refusal.is_refused()) refusal = read_request_meaning(end);
  head = request_;
  return refusal;
}

Refusal Http2HeadReader::read_request_line() {
  RequestHead& head = *request_;
  if (head.method == Method::kConnect && protocol_ == "websocket") {
    // RFC 8441 section 5: what HTTP/1 says with a GET (RFC 6455 section 4.1).
    head.method = Method::kGet;
    head.method_text = "GET";
    head.upgrade = "websocket";
  }
  if (head.method == Method::kConnect) {
    path_ = head.fields.value(FieldName::kHost);
    if (path_.empty()) return bad("RFC 9113 section 8.5: CONNECT without :authority");
  } else if (!path_.starts_with('/') && path_ != "*") {
    return bad("RFC 9113 section 8.3.1: :path is neither a path nor *");
  }
  const std::string_view scheme = head.scheme;
  head.target = path_;
  const Refusal refusal = resolve_target(head);
  head.scheme = scheme;
  return refusal;
}

// As in HTTP/1, but for what the frames say already.
Refusal Http2HeadReader::read_request_meaning(EndOfStream end) {
  RequestHead& head = *request_;
  BodyLength told;
  const Refusal refusal = request_framing(head.fields, head.version, told);
  if (refusal.is_refused()) return refusal;
  // RFC 9110 section 9.3.6: a CONNECT has no content; what a length says would be read as that of
  // the tunnel, or of the GET.
  if (!head.upgrade.empty()) head.fields.remove(FieldName::kContentLength);
  if (end == EndOfStream::kNo && head.upgrade.empty()) {
    const bool is_known = head.fields.find(FieldName::kContentLength) != nullptr;
    // Of a length of nothing the end is still to come.
    head.body = {is_known ? BodyLength::Kind::kKnown : BodyLength::Kind::kUnknown, told.bytes};
  }
  const HopByHop said = strip_hop_by_hop(head.fields, MessageKind::kRequest);
  if (said.fault != nullptr) return said.refusal();
  head.accepts_trailers = said.accepts_trailers;
  return read_expect(head);
}

Refusal Http2HeadReader::finish_response(Method method, Asked asked, EndOfStream end,
                                         ResponseHead*& head) {
  close_text();
  if (refusal_.is_refused()) return refusal_;
  head = response_;
  ResponseHead& response = *response_;
  response.version = HttpVersion::kHttp2;
  if (response.status < 100 || response.status > 599) {
    return bad("RFC 9110 section 15: status code outside 100 to 599");
  }
  if (asked == Asked::kWebsocket && response.status >= 200 && response.status < 300) {
    // RFC 8441 section 5: a 2xx is what a 101 is in HTTP/1.
    response.status = 101;
    response.upgrade = "websocket";
  }
  const Refusal refusal =
      response_framing(response.fields, response.version, response.status, method, response.body);
  if (refusal.is_refused()) return refusal;
  using Kind = BodyLength::Kind;
  if (end == EndOfStream::kYes && response.status != 101) {
    response.body = {};
  } else if (response.body.kind == Kind::kNone && method != Method::kHead &&
             !is_bodiless(response.status)) {
    response.body.kind = Kind::kKnown;  // of a length of nothing the end is still to come
  }
  const HopByHop said = strip_hop_by_hop(response.fields, MessageKind::kResponse);
  if (said.fault != nullptr) return said.refusal();
  // RFC 9110 section 8.6: no Content-Length in 1xx, 204 and an accepted CONNECT.
  if (response.status < 200 || response.status == 204 || response.body.kind == Kind::kTunnel) {
    response.fields.remove(FieldName::kContentLength);
  }
  return {};
}

Refusal Http2HeadReader::finish_trailers(HeaderList*& trailers) {
  close_text();
  trailers = nullptr;
  if (refusal_.is_refused() || section_ != Section::kTrailers) return refusal_;
  for (Field& field : fields_->fields()) {
    if (is_trailer_allowed(field)) {
      trailers = fields_;
    } else {
      fields_->remove(field);
    }
  }
  return {};
}

}  // namespace limpet
