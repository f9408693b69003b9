// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>

#include "daemon/base/check.h"
#include "daemon/base/text.h"
#include "daemon/http/http1_codec.h"
#include "daemon/http/status.h"

namespace limpet {

namespace {

constexpr std::uint64_t bit(FieldName id) noexcept { return HeaderList::bit(id); }

// What the codec says itself, whatever stands in the list.
constexpr std::uint64_t kOwnFields = bit(FieldName::kConnection) | bit(FieldName::kContentLength) |
                                     bit(FieldName::kKeepAlive) | bit(FieldName::kProxyConnection) |
                                     bit(FieldName::kTransferEncoding) | bit(FieldName::kUpgrade) |
                                     bit(FieldName::kTe) | bit(FieldName::kHttp2Settings);
constexpr std::uint64_t kOwnButLength = kOwnFields & ~bit(FieldName::kContentLength);
// Room for the codec's own fields and the empty line; an upgrade's name comes on top.
constexpr std::size_t kOwnBytesMax = 160;

[[gnu::always_inline]] inline char* put(char* at, std::string_view text) noexcept {
  if (text.empty()) return at;
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

constexpr std::size_t kDigitsMax = 20;

// 00 to 99.
constexpr std::array<char, 200> kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

inline char* put_pair(char* at, std::uint32_t below_100) noexcept {
  std::memcpy(at, kPairs.data() + std::size_t{2} * below_100, 2);
  return at + 2;
}

inline char* put_decimal(char* at, std::uint64_t value) noexcept {
  if (value >= 10'000) [[unlikely]]
    return std::to_chars(at, at + kDigitsMax, value).ptr;
  const auto small = static_cast<std::uint32_t>(value);
  const std::uint32_t hundreds = small / 100;
  const std::uint32_t rest = small % 100;
  if (hundreds >= 10) {
    at = put_pair(at, hundreds);
  } else if (hundreds > 0) {
    *at++ = static_cast<char>('0' + hundreds);
  } else if (rest < 10) {
    *at++ = static_cast<char>('0' + rest);
    return at;
  }
  return put_pair(at, rest);
}

// A field that does not stand as a line.
[[gnu::noinline]] char* put_parts(char* at, const Field& field) noexcept {
  at = put(at, field.name());
  at = put(at, ": ");
  at = put(at, field.value());
  return put(at, "\r\n");
}

// A run of lines side by side, which are copied in one piece.
struct Run {
  const char* begin = nullptr;
  const char* end = nullptr;
};

// Writes every field but the removed and those of `skipped`, behind the run begun.
[[gnu::always_inline]] inline char* put_each(char* at, std::span<const Field> fields,
                                             std::uint64_t skipped, Run run) noexcept {
  for (const Field& field : fields) {
    if ((skipped >> static_cast<unsigned>(field.id) & 1) != 0) continue;
    if (!field.is_line()) [[unlikely]] {
      if (field.is_removed()) continue;
      at = put(at, {run.begin, run.end});
      run = {};
      at = put_parts(at, field);
      continue;
    }
    if (field.is_removed()) continue;
    DCHECK_THAT(field.line().ends_with("\r\n"));
    DCHECK_THAT(field.value().data() == field.name().end() + 2);
    const char* const line = field.line().data();
    if (line != run.end) {
      at = put(at, {run.begin, run.end});
      run.begin = line;
    }
    run.end = line + field.line().size();
  }
  return put(at, {run.begin, run.end});
}

[[gnu::noinline]] char* put_all_but(char* at, const HeaderList& list,
                                    std::uint64_t skipped) noexcept {
  return put_each(at, list.fields(), skipped, {});
}

// Writes every field but the removed and those of `skipped`. Mostly there are none of these.
[[gnu::always_inline]] inline char* put_fields(char* at, const HeaderList& list,
                                               std::uint64_t skipped) noexcept {
  if (list.may_have_any(skipped)) return put_all_but(at, list, skipped);
  const std::span<const Field> as_it_came = list.run();
  if (as_it_came.empty()) return put_each(at, list.fields(), 0, {});
  const Run run = {as_it_came.front().line().begin(), as_it_came.back().line().end()};
  return put_each(at, list.fields().subspan(as_it_came.size()), 0, run);
}

[[gnu::always_inline]] inline char* put_method(char* at, const RequestHead& head) noexcept {
  if (head.method == Method::kGet) return put(at, "GET ");
  at = text::put_short(at, head.method_text);
  *at++ = ' ';
  return at;
}

inline char* put_status_line(char* at, const ResponseHead& head, std::string_view reason) noexcept {
  if (head.status == 200 && text::equals(reason, "OK")) return put(at, "HTTP/1.1 200 OK\r\n");
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
[[gnu::always_inline]] inline char* Http1Codec::put_framing(char* at) const noexcept {
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
                                head.fields.line_bytes() + kStartLineExtra + kOwnBytesMax;
  char* const start = out.reserve(bytes_max);
  char* at = put_method(start, head);
  at = text::put_short(at, head.target);
  at = put(at, " HTTP/1.1\r\n");
  if (head.fields.find(FieldName::kHost) == nullptr) {
    at = put(at, "host: ");
    at = put(at, head.authority);
    at = put(at, "\r\n");
  }
  at = put_fields(at, head.fields, head.body.is_told ? kOwnButLength : kOwnFields);
  if (!head.body.is_told) at = put_framing(at);
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
  const std::size_t bytes_max = reason.size() + head.upgrade.size() + head.fields.line_bytes() +
                                kStartLineExtra + kOwnBytesMax;
  char* const start = out.reserve(bytes_max);
  char* at = put_status_line(start, head, reason);
  const bool is_told = tells_length || (head.body.is_told && writing_ == Writing::kKnown);
  at = put_fields(at, head.fields, is_told ? kOwnButLength : kOwnFields);
  if (!is_told) at = put_framing(at);
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
  char* const start = out.reserve(reason.size() + head.fields.line_bytes() + kStartLineExtra);
  char* at = put_status_line(start, head, reason);
  at = put_fields(at, head.fields, kOwnFields);
  at = put(at, "\r\n");
  out.commit(static_cast<std::size_t>(at - start));
}

void Http1Codec::write_chunk_line(std::size_t bytes, Buffer& out) {
  constexpr std::size_t kSizeLineMax = 24;
  char* const start = out.reserve(kSizeLineMax);
  char* const end = put(std::to_chars(start, start + kDigitsMax, bytes, 16).ptr, "\r\n");
  out.commit(static_cast<std::size_t>(end - start));
}

void Http1Codec::write_last_chunk(const HeaderList* trailers, Buffer& out) {
  constexpr std::size_t kLastChunkBytes = 5;
  char* const start =
      out.reserve((trailers == nullptr ? 0 : trailers->line_bytes()) + kLastChunkBytes);
  char* at = put(start, "0\r\n");
  if (trailers != nullptr) at = put_fields(at, *trailers, kOwnFields);
  at = put(at, "\r\n");
  out.commit(static_cast<std::size_t>(at - start));
}

}  // namespace limpet
