// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cstring>

#include "daemon/http/http1_codec.h"
#include "daemon/http/status.h"

namespace limpet {

namespace {

constexpr auto bit = HeaderList::bit;

// What the codec says itself, whatever stands in the list.
constexpr std::uint64_t kOwnFields = bit(FieldName::kConnection) | bit(FieldName::kContentLength) |
                                     bit(FieldName::kKeepAlive) | bit(FieldName::kProxyConnection) |
                                     bit(FieldName::kTransferEncoding) | bit(FieldName::kUpgrade) |
                                     bit(FieldName::kTe) | bit(FieldName::kHttp2Settings);
constexpr std::uint64_t kOwnButLength = kOwnFields & ~bit(FieldName::kContentLength);
// Room for the codec's own fields and the empty line; an upgrade's name comes on top.
constexpr std::size_t kOwnBytesMax = 160;
constexpr std::size_t kLineExtra = 4;  // ": " and CRLF

inline char* put(char* at, std::string_view text) noexcept {
  if (text.empty()) return at;
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_number(char* at, std::uint64_t value, int base) noexcept {
  constexpr std::size_t kDigitsMax = 20;
  return std::to_chars(at, at + kDigitsMax, value, base).ptr;
}

// At most: removed fields count as well.
[[nodiscard]] std::size_t bytes_of(const HeaderList& list) noexcept {
  std::size_t total = 0;
  for (const Field& field : list.fields())
    total += field.name_bytes + std::size_t{field.value_bytes} + kLineExtra;
  return total;
}

[[nodiscard]] inline bool has_pair(const char* at, const char* pair) noexcept {
  return std::memcmp(at, pair, 2) == 0;
}

// Whether the field lies in `lines` as "name: value CRLF".
[[nodiscard]] inline bool is_line(const Field& field, std::string_view lines) noexcept {
  const auto name = reinterpret_cast<std::uintptr_t>(field.name_data);
  const auto value = reinterpret_cast<std::uintptr_t>(field.value_data);
  if (name - reinterpret_cast<std::uintptr_t>(lines.data()) >= lines.size()) return false;
  return value == name + field.name_bytes + 2 &&
         has_pair(field.name_data + field.name_bytes, ": ") &&
         has_pair(field.value_data + field.value_bytes, "\r\n");
}

// Writes every field but the removed and those of `skipped`. Lines that still stand side by side as
// they came are copied in one piece; each was checked to be exactly name, ": ", value, CRLF.
char* put_fields(char* at, const HeaderList& list, std::uint64_t skipped) noexcept {
  const std::string_view lines = list.lines();
  const char* run = lines.data();
  std::size_t run_bytes = 0;
  const auto flush = [&at, &run, &run_bytes] {
    if (run_bytes > 0) at = put(at, {run, run_bytes});
    run_bytes = 0;
  };
  for (const Field& field : list.fields()) {
    if (field.is_removed || (skipped & bit(field.id)) != 0) continue;
    if (is_line(field, lines)) {
      const std::size_t line_bytes = field.name_bytes + std::size_t{field.value_bytes} + kLineExtra;
      if (run + run_bytes != field.name_data) {
        flush();
        run = field.name_data;
      }
      run_bytes += line_bytes;
      continue;
    }
    flush();
    at = put(at, field.name());
    at = put(at, ": ");
    at = put(at, field.value());
    at = put(at, "\r\n");
  }
  flush();
  return at;
}

char* put_status_line(char* at, const ResponseHead& head, std::string_view reason) noexcept {
  at = put(at, "HTTP/1.1 ");
  *at++ = static_cast<char>('0' + head.status / 100);
  *at++ = static_cast<char>('0' + head.status / 10 % 10);
  *at++ = static_cast<char>('0' + head.status % 10);
  *at++ = ' ';
  at = put(at, reason);
  return put(at, "\r\n");
}

[[nodiscard]] std::string_view reason_of(const ResponseHead& head) noexcept {
  return head.reason.empty() ? reason_phrase(head.status) : head.reason;
}

// "connection" with the options that are wanted, or nothing.
char* put_connection(char* at, std::string_view lifetime, std::string_view upgrade,
                     bool has_te) noexcept {
  if (lifetime.empty() && upgrade.empty() && !has_te) return at;
  std::string_view separator = "connection: ";
  const auto put_option = [&at, &separator](std::string_view option) {
    if (option.empty()) return;
    at = put(at, separator);
    at = put(at, option);
    separator = ", ";
  };
  put_option(lifetime);
  put_option(upgrade.empty() ? std::string_view{} : "upgrade");
  put_option(has_te ? "te" : std::string_view{});
  at = put(at, "\r\n");
  if (!upgrade.empty()) {
    at = put(at, "upgrade: ");
    at = put(at, upgrade);
    at = put(at, "\r\n");
  }
  return has_te ? put(at, "te: trailers\r\n") : at;
}

constexpr std::size_t kStartLineExtra = 32;

}  // namespace

// The length or the coding of the message just begun.
char* Http1Codec::put_framing(char* at) const noexcept {
  if (writing_ == Writing::kChunked) return put(at, "transfer-encoding: chunked\r\n");
  if (writing_ != Writing::kKnown) return at;
  at = put(at, "content-length: ");
  at = put_number(at, owed_bytes_, 10);
  return put(at, "\r\n");
}

void Http1Codec::begin_writing(BodyLength body, Writing unknown) noexcept {
  owed_bytes_ = body.bytes;
  switch (body.kind) {
    case BodyLength::Kind::kNone:
      writing_ = Writing::kNothing;
      return;
    case BodyLength::Kind::kKnown:
      writing_ = Writing::kKnown;
      return;
    case BodyLength::Kind::kUnknown:
      writing_ = unknown;
      return;
    case BodyLength::Kind::kTunnel:
      writing_ = Writing::kTunnel;
      return;
  }
}

void Http1Codec::write_request_head(const RequestHead& head, Buffer& out) {
  method_ = head.method;
  upgrade_asked_ = !head.upgrade.empty();
  is_asked_ = true;
  begin_writing(head.body, Writing::kChunked);
  const std::size_t bytes_max = head.method_text.size() + head.target.size() +
                                head.authority.size() + head.upgrade.size() +
                                bytes_of(head.fields) + kStartLineExtra + kOwnBytesMax;
  char* const start = out.reserve(bytes_max);
  char* at = put(start, head.method_text);
  *at++ = ' ';
  at = put(at, head.target);
  at = put(at, " HTTP/1.1\r\n");
  if (head.fields.find(FieldName::kHost) == nullptr) {
    at = put(at, "host: ");
    at = put(at, head.authority);
    at = put(at, "\r\n");
  }
  at = put_fields(at, head.fields, kOwnFields);
  at = put_framing(at);
  // A length of nothing is passed on where the client said it, and left out where it did not.
  if (writing_ == Writing::kNothing && head.fields.find(FieldName::kContentLength) != nullptr) {
    at = put(at, "content-length: 0\r\n");
  }
  at = put_connection(at, keep_alive_ ? "" : "close", head.upgrade, head.accepts_trailers);
  at = put(at, "\r\n");
  out.commit(static_cast<std::size_t>(at - start));
}

void Http1Codec::write_response_head(const ResponseHead& head, Buffer& out) {
  const bool is_tunnel = head.status == 101 || head.body.kind == BodyLength::Kind::kTunnel;
  const bool is_bodiless_message = method_ == Method::kHead || is_bodiless(head.status);
  // RFC 9110 sections 8.6 and 15.4.5: the length a GET would have had may be told, and is told as
  // it came.
  const bool tells_length = is_bodiless_message && head.status != 204 && !is_tunnel;
  if (is_tunnel) {
    writing_ = Writing::kTunnel;
  } else if (is_bodiless_message) {
    writing_ = Writing::kNothing;
  } else {
    // RFC 9112 section 6.1: HTTP/1.0 knows no chunks; there the end of the connection ends the
    // body.
    const bool has_chunks = peer_version_ != HttpVersion::kHttp10;
    begin_writing(head.body, has_chunks ? Writing::kChunked : Writing::kUntilClose);
    if (writing_ == Writing::kUntilClose) keep_alive_ = false;
  }
  const std::string_view reason = reason_of(head);
  const std::size_t bytes_max =
      reason.size() + head.upgrade.size() + bytes_of(head.fields) + kStartLineExtra + kOwnBytesMax;
  char* const start = out.reserve(bytes_max);
  char* at = put_status_line(start, head, reason);
  at = put_fields(at, head.fields, tells_length ? kOwnButLength : kOwnFields);
  at = put_framing(at);
  if (writing_ == Writing::kNothing && !is_bodiless_message) at = put(at, "content-length: 0\r\n");
  std::string_view lifetime = keep_alive_ ? "" : "close";
  if (keep_alive_ && peer_version_ == HttpVersion::kHttp10) lifetime = "keep-alive";
  at = put_connection(at, is_tunnel ? std::string_view{} : lifetime, head.upgrade, false);
  at = put(at, "\r\n");
  out.commit(static_cast<std::size_t>(at - start));
}

void Http1Codec::write_informational(const ResponseHead& head, Buffer& out) {
  if (peer_version_ == HttpVersion::kHttp10) return;  // RFC 9110 section 15.2
  const std::string_view reason = reason_of(head);
  char* const start = out.reserve(reason.size() + bytes_of(head.fields) + kStartLineExtra);
  char* at = put_status_line(start, head, reason);
  at = put_fields(at, head.fields, kOwnFields);
  at = put(at, "\r\n");
  out.commit(static_cast<std::size_t>(at - start));
}

void Http1Codec::write_body_prefix(std::size_t bytes, Buffer& out) {
  if (writing_ == Writing::kKnown) {
    owed_bytes_ -= std::min<std::uint64_t>(owed_bytes_, bytes);
    return;
  }
  if (writing_ != Writing::kChunked) return;
  constexpr std::size_t kSizeLineMax = 24;
  char* const start = out.reserve(kSizeLineMax);
  char* const end = put(put_number(start, bytes, 16), "\r\n");
  out.commit(static_cast<std::size_t>(end - start));
}

std::string_view Http1Codec::body_suffix() const noexcept {
  return writing_ == Writing::kChunked ? "\r\n" : "";
}

void Http1Codec::write_end(const HeaderList* trailers, Buffer& out) {
  if (writing_ == Writing::kTunnel) return;
  if (writing_ == Writing::kChunked) {
    constexpr std::size_t kLastChunkBytes = 5;
    char* const start =
        out.reserve((trailers == nullptr ? 0 : bytes_of(*trailers)) + kLastChunkBytes);
    char* at = put(start, "0\r\n");
    if (trailers != nullptr) at = put_fields(at, *trailers, kOwnFields);
    at = put(at, "\r\n");
    out.commit(static_cast<std::size_t>(at - start));
  } else if (writing_ == Writing::kKnown && owed_bytes_ > 0) {
    keep_alive_ =
        false;  // a message shorter than announced: the next one would be read as its rest
  }
  writing_ = Writing::kNothing;
}

}  // namespace limpet
