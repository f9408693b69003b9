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

constexpr std::size_t kDigitsMax = 20;

char* put_decimal(char* at, std::uint64_t value) noexcept {
  std::size_t digits = 1;
  for (std::uint64_t bound = 10; digits < kDigitsMax && value >= bound; bound *= 10)
    ++digits;
  for (char* digit = at + digits; digit != at; value /= 10)
    *--digit = static_cast<char>('0' + value % 10);
  return at + digits;
}

// At most: removed fields count as well.
[[nodiscard]] std::size_t bytes_of(const HeaderList& list) noexcept {
  std::size_t total = 0;
  for (const Field& field : list.fields())
    total += field.name_bytes + std::size_t{field.value_bytes} + kLineExtra;
  return total;
}

// Whether the field still is the line that it was made from.
[[nodiscard]] inline bool stands_as_line(const Field& field) noexcept {
  return field.is_line && field.value_data == field.name_data + field.name_bytes + 2 &&
         std::memcmp(field.value_data + field.value_bytes, "\r\n", 2) == 0;
}

// Writes every field but the removed and those of `skipped`. Lines that stand side by side in
// memory are copied in one piece.
char* put_fields(char* at, const HeaderList& list, std::uint64_t skipped) noexcept {
  const char* run = nullptr;
  const char* run_end = nullptr;
  const auto put_run = [&] {
    if (run_end != run) at = put(at, {run, static_cast<std::size_t>(run_end - run)});
  };
  for (const Field& field : list.fields()) {
    if (field.is_removed || (skipped >> static_cast<unsigned>(field.id) & 1) != 0) continue;
    if (stands_as_line(field)) [[likely]] {
      if (run_end != field.name_data) {
        put_run();
        run = field.name_data;
      }
      run_end = field.value_data + field.value_bytes + 2;
      continue;
    }
    put_run();
    run = run_end = nullptr;
    at = put(at, field.name());
    at = put(at, ": ");
    at = put(at, field.value());
    at = put(at, "\r\n");
  }
  put_run();
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
  at = put_decimal(at, owed_bytes_);
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
  if (!keep_alive_ || head.accepts_trailers || !head.upgrade.empty()) {
    at = put_connection(at, keep_alive_ ? "" : "close", head.upgrade, head.accepts_trailers);
  }
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
  if (!keep_alive_ || peer_version_ == HttpVersion::kHttp10 || !head.upgrade.empty()) {
    const std::string_view lifetime = keep_alive_ ? "keep-alive" : "close";
    const bool is_silent = is_tunnel || (keep_alive_ && peer_version_ != HttpVersion::kHttp10);
    at = put_connection(at, is_silent ? std::string_view{} : lifetime, head.upgrade, false);
  }
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
  char* const end = put(std::to_chars(start, start + kDigitsMax, bytes, 16).ptr, "\r\n");
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
