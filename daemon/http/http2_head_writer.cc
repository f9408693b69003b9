// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_head_writer.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "daemon/http/framing.h"
#include "daemon/http/http2_session.h"

namespace limpet {

namespace {

constexpr auto bit = HeaderList::bit;

// RFC 9113 section 8.2.2; the length is said by whoever knows it.
constexpr std::uint64_t kNeverWritten =
    bit(FieldName::kConnection) | bit(FieldName::kKeepAlive) | bit(FieldName::kProxyConnection) |
    bit(FieldName::kTransferEncoding) | bit(FieldName::kUpgrade) | bit(FieldName::kTe) |
    bit(FieldName::kHttp2Settings) | bit(FieldName::kContentLength);
// RFC 7541 section 7.1: what is a secret is kept out of every compression table.
constexpr std::uint64_t kSecrets = bit(FieldName::kAuthorization) | bit(FieldName::kCookie) |
                                   bit(FieldName::kSetCookie) | bit(FieldName::kMcpSessionId);
// What is another value each time would only drive out what comes again, and is searched for in
// vain among all its like.
constexpr std::uint64_t kUnique = bit(FieldName::kXRequestId) | bit(FieldName::kTraceparent) |
                                  bit(FieldName::kXForwardedFor) | bit(FieldName::kForwarded) |
                                  bit(FieldName::kLastEventId);
constexpr std::uint64_t kNotIndexed = kSecrets | kUnique;

constexpr std::size_t kDigitsMax = 20;
constexpr std::size_t kOwnFieldsMax = 8;

using Digits = std::array<char, kDigitsMax>;

[[nodiscard]] std::string_view decimal(std::uint64_t value, Digits& digits) noexcept {
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

// The library's parameters are not const; it does not write to them.
[[nodiscard]] std::uint8_t* as_octets(const char* text) noexcept {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text));
}

// The fields of one block, none of them copied.
class Block {
 public:
  Block(Arena& arena, std::size_t listed) {
    if (listed + kOwnFieldsMax <= few_.size()) return;
    fields_ =
        static_cast<nghttp2_nv*>(arena.allocate(sizeof(nghttp2_nv) * (listed + kOwnFieldsMax)));
  }
  void add(std::string_view name, std::string_view value, unsigned flags = 0) noexcept {
    constexpr unsigned kBorrowed = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    fields_[count_++] = {as_octets(name.data()), as_octets(value.data()), name.size(), value.size(),
                         static_cast<std::uint8_t>(kBorrowed | flags)};
  }
  void add_list(const HeaderList& list, std::uint64_t skipped) noexcept {
    for (const Field& field : list.fields()) {
      const std::uint64_t name = bit(field.id);
      if (field.is_removed || (skipped & name) != 0) continue;
      const unsigned flags = (kNotIndexed & name) != 0 ? unsigned{NGHTTP2_NV_FLAG_NO_INDEX} : 0U;
      add(field.name(), field.value(), flags);
    }
  }
  [[nodiscard]] const nghttp2_nv* fields() const noexcept { return fields_; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  std::array<nghttp2_nv, 48> few_;  // NOLINT: filled by add()
  nghttp2_nv* fields_ = few_.data();
  std::size_t count_ = 0;
};

ssize_t on_read_body(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t bytes_max,
                     std::uint32_t* flags, nghttp2_data_source* source, void* session) {
  using Outcome = Http2Session::DataPlan::Outcome;
  const auto plan = static_cast<Http2Session*>(session)->plan_data(
      *static_cast<Http2Stream*>(source->ptr), bytes_max);
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  switch (plan.outcome) {
    case Outcome::kPaused:
      return NGHTTP2_ERR_PAUSE;
    case Outcome::kDeferred:
      return NGHTTP2_ERR_DEFERRED;
    case Outcome::kSome:
      break;
    case Outcome::kLastBeforeTrailers:
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      [[fallthrough]];
    case Outcome::kLast:
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      break;
  }
  return static_cast<ssize_t>(plan.bytes);
}

[[nodiscard]] nghttp2_data_provider body_of(Http2Stream& stream) noexcept {
  nghttp2_data_provider provider;
  provider.source.ptr = &stream;
  provider.read_callback = on_read_body;
  return provider;
}

void add_status(Block& block, std::uint16_t status, Digits& digits) noexcept {
  block.add(":status", decimal(status, digits));
}

[[nodiscard]] std::int32_t id_of(const Http2Stream& stream) noexcept {
  return static_cast<std::int32_t>(stream.number);
}

}  // namespace

std::uint32_t submit_request(Http2Session& session, Http2Stream& stream, const RequestHead& head) {
  Block block(head.fields.arena(), head.fields.fields().size());
  Digits digits;
  std::uint64_t skipped = kNeverWritten | bit(FieldName::kHost);
  // What the HTTP/1 writer would send as Host.
  const Field* const host = head.fields.find(FieldName::kHost);
  const std::string_view authority = host != nullptr ? host->value() : head.authority;
  block.add(":method", stream.is_websocket ? "CONNECT" : head.method_text);
  if (stream.is_websocket) {
    block.add(":protocol", head.upgrade);
    skipped |= bit(FieldName::kSecWebsocketKey);
  }
  block.add(":scheme", head.scheme.empty() ? session.scheme : head.scheme);
  if (!authority.empty()) block.add(":authority", authority);
  block.add(":path", head.target);
  block.add_list(head.fields, skipped);
  if (head.body.kind == BodyLength::Kind::kKnown) {
    block.add("content-length", decimal(head.body.bytes, digits));
  } else if (head.body.kind == BodyLength::Kind::kNone &&
             head.fields.find(FieldName::kContentLength) != nullptr) {
    block.add("content-length", "0");
  }
  if (head.accepts_trailers) block.add("te", "trailers");
  const bool is_whole = head.body.kind == BodyLength::Kind::kNone && !stream.is_websocket;
  const nghttp2_data_provider body = body_of(stream);
  const std::int32_t number = nghttp2_submit_request(
      session.library, nullptr, block.fields(), block.count(), is_whole ? nullptr : &body, &stream);
  if (number <= 0) return 0;
  stream.number = static_cast<std::uint32_t>(number);
  stream.writing = is_whole ? Http2Stream::Writing::kEnding : Http2Stream::Writing::kBody;
  session.stage();
  return static_cast<std::uint32_t>(number);
}

void submit_response(Http2Session& session, Http2Stream& stream, const ResponseHead& head,
                     std::uint16_t status, HeadEnds ends) {
  Block block(head.fields.arena(), head.fields.fields().size());
  Digits status_digits;
  Digits length_digits;
  const bool is_tunnel = head.status == 101;
  std::uint64_t skipped = kNeverWritten;
  if (is_tunnel) skipped |= bit(FieldName::kSecWebsocketAccept);
  // RFC 9110 sections 8.6 and 15.4.5: the length a GET would have had may be told, and is told as
  // it came.
  const bool is_bodiless_message = stream.method == Method::kHead || is_bodiless(status);
  if (is_bodiless_message && status != 204 && !is_tunnel) {
    skipped &= ~bit(FieldName::kContentLength);
  }
  add_status(block, status, status_digits);
  block.add_list(head.fields, skipped);
  if (!is_bodiless_message && head.body.kind == BodyLength::Kind::kKnown) {
    block.add("content-length", decimal(head.body.bytes, length_digits));
  } else if (!is_bodiless_message && head.body.kind == BodyLength::Kind::kNone &&
             head.fields.find(FieldName::kContentLength) != nullptr) {
    block.add("content-length", "0");
  }
  const nghttp2_data_provider body = body_of(stream);
  nghttp2_submit_response(session.library, id_of(stream), block.fields(), block.count(),
                          ends == HeadEnds::kHalf ? nullptr : &body);
  session.stage();
}

void submit_informational(Http2Session& session, const Http2Stream& stream,
                          const ResponseHead& head) {
  Block block(head.fields.arena(), head.fields.fields().size());
  Digits digits;
  add_status(block, head.status, digits);
  block.add_list(head.fields, kNeverWritten);
  nghttp2_submit_headers(session.library, NGHTTP2_FLAG_NONE, id_of(stream), nullptr, block.fields(),
                         block.count(), nullptr);
  session.stage();
}

void submit_trailers(Http2Session& session, const Http2Stream& stream, const HeaderList& trailers) {
  Block block(trailers.arena(), trailers.fields().size());
  block.add_list(trailers, kNeverWritten);
  nghttp2_submit_trailer(session.library, id_of(stream), block.fields(), block.count());
  session.stage();
}

namespace {

// Trailers that wait: for each field the two lengths and the two texts.
struct KeptField {
  std::uint32_t name_bytes;
  std::uint32_t value_bytes;
};

}  // namespace

void keep_trailers(const HeaderList& trailers, Buffer& kept) {
  for (const Field& field : trailers.fields()) {
    if (field.is_removed || (kNeverWritten & bit(field.id)) != 0) continue;
    const KeptField sizes{static_cast<std::uint32_t>(field.name().size()),
                          static_cast<std::uint32_t>(field.value().size())};
    std::memcpy(kept.reserve(sizeof sizes), &sizes, sizeof sizes);
    kept.commit(sizeof sizes);
    kept.append(field.name());
    kept.append(field.value());
  }
}

// Called back while frames are made, so the library has to copy these.
void submit_kept_trailers(Http2Session& session, Http2Stream& stream) {
  std::vector<nghttp2_nv> fields;
  std::string_view rest = stream.trailers.view();
  while (!rest.empty()) {
    KeptField sizes{};
    std::memcpy(&sizes, rest.data(), sizeof sizes);
    const char* const name = rest.data() + sizeof sizes;
    fields.push_back({as_octets(name), as_octets(name + sizes.name_bytes), sizes.name_bytes,
                      sizes.value_bytes, NGHTTP2_NV_FLAG_NONE});
    rest.remove_prefix(sizeof sizes + sizes.name_bytes + sizes.value_bytes);
  }
  nghttp2_submit_trailer(session.library, id_of(stream), fields.data(), fields.size());
  stream.trailers.clear();
}

}  // namespace limpet
