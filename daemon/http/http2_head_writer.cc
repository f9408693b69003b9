// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_head_writer.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "daemon/http/framing.h"
#include "daemon/http/http2_session.h"

namespace limpet {

namespace {

constexpr std::uint64_t bit(FieldName id) noexcept { return HeaderList::bit(id); }

// RFC 9113 section 8.2.2; the length is said by whoever knows it.
constexpr std::uint64_t kNeverWritten =
    bit(FieldName::kConnection) | bit(FieldName::kKeepAlive) | bit(FieldName::kProxyConnection) |
    bit(FieldName::kTransferEncoding) | bit(FieldName::kUpgrade) | bit(FieldName::kTe) |
    bit(FieldName::kHttp2Settings) | bit(FieldName::kContentLength);
constexpr std::size_t kDigitsMax = 20;
// Far above limits.header_bytes and what limpet adds.
constexpr std::size_t kBlockBytesMax = std::size_t{1} << 20;

using Digits = std::array<char, kDigitsMax>;

[[nodiscard]] std::string_view decimal(std::uint64_t value, Digits& digits) noexcept {
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

// What the library is told of a head's fields.
class Told {
 public:
  explicit Told(const FieldBlock& block) noexcept {
    // The sum of all lengths, so that it refuses what is too large.
    if (const std::size_t bytes = block.bytes_max(); bytes > kBlockBytesMax) add("-", {"", bytes});
  }
  void add(std::string_view name, std::string_view value) noexcept {
    constexpr std::uint8_t kBorrowed = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    fields_[count_++] = {as_octets(name.data()), as_octets(value.data()), name.size(), value.size(),
                         kBorrowed};
  }
  [[nodiscard]] const nghttp2_nv* fields() const noexcept { return fields_.data(); }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  // The library's parameters are not const; it does not write to them.
  [[nodiscard]] static std::uint8_t* as_octets(const char* text) noexcept {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text));
  }

  std::array<nghttp2_nv, 2> fields_;  // NOLINT: filled by add()
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

[[nodiscard]] std::int32_t id_of(const Http2Stream& stream) noexcept {
  return static_cast<std::int32_t>(stream.number);
}

}  // namespace

namespace {

// Trailers that wait: for each field the two lengths and the two texts.
struct KeptField {
  std::uint32_t name_bytes;
  std::uint32_t value_bytes;
};

template <typename Visit>
void for_each_kept(std::string_view kept, Visit visit) {
  while (!kept.empty()) {
    KeptField sizes{};
    std::memcpy(&sizes, kept.data(), sizeof sizes);
    kept.remove_prefix(sizeof sizes);
    visit(kept.substr(0, sizes.name_bytes), kept.substr(sizes.name_bytes, sizes.value_bytes));
    kept.remove_prefix(std::size_t{sizes.name_bytes} + sizes.value_bytes);
  }
}

}  // namespace

std::size_t FieldBlock::bytes_max() const noexcept {
  constexpr std::size_t kField = Http2FieldEncoder::kFieldBytesMax;
  // Own names are shorter.
  constexpr std::size_t kOwn = 2 * kField + kDigitsMax;
  std::size_t bytes = Http2FieldEncoder::kBlockBytesMax + (kPseudoMax + 2) * kOwn;
  for (std::size_t i = 0; i < pseudo_count_; ++i)
    bytes += pseudo_[i].value.size();
  if (list_ != nullptr) bytes += list_->line_bytes() + list_->fields().size() * kField;
  // Each has its lengths in front, which take half of what a field may.
  return bytes + 2 * kept_.size();
}

char* FieldBlock::put(char* at, Http2FieldEncoder& encoder) const noexcept {
  for (std::size_t i = 0; i < pseudo_count_; ++i)
    at = encoder.put(at, pseudo_[i].name, pseudo_[i].value);
  if (list_ != nullptr) {
    for (const Field& field : list_->fields()) {
      if (field.is_removed() || (skipped_ & bit(field.id)) != 0) continue;
      at = encoder.put(at, field.id, field.name(), field.value());
    }
  }
  if (!length_.empty()) at = encoder.put(at, FieldName::kContentLength, "content-length", length_);
  if (has_te_) at = encoder.put(at, FieldName::kTe, "te", "trailers");
  for_each_kept(kept_, [&](std::string_view name, std::string_view value) {
    at = encoder.put(at, known_name(name), name, value);
  });
  return at;
}

std::uint32_t submit_request(Http2Session& session, Http2Stream& stream, const RequestHead& head) {
  using Pseudo = FieldBlock::Pseudo;
  FieldBlock block;
  Digits digits;
  std::uint64_t skipped = kNeverWritten | bit(FieldName::kHost);
  // What the HTTP/1 writer would send as Host.
  const Field* const host = head.fields.find(FieldName::kHost);
  const std::string_view authority = host != nullptr ? host->value() : head.authority;
  const std::string_view method = stream.is_websocket ? "CONNECT" : head.method_text;
  block.add(Pseudo::kMethod, method);
  if (stream.is_websocket) {
    block.add(Pseudo::kProtocol, head.upgrade);
    skipped |= bit(FieldName::kSecWebsocketKey);
  }
  block.add(Pseudo::kScheme, head.scheme.empty() ? session.scheme : head.scheme);
  if (!authority.empty()) block.add(Pseudo::kAuthority, authority);
  block.add(Pseudo::kPath, head.target);
  block.add_list(head.fields, skipped);
  if (head.body.kind == BodyLength::Kind::kKnown) {
    block.add_length(decimal(head.body.bytes, digits));
  } else if (head.body.kind == BodyLength::Kind::kNone &&
             head.fields.find(FieldName::kContentLength) != nullptr) {
    block.add_length("0");
  }
  if (head.accepts_trailers) block.add_te();
  const bool is_whole = head.body.kind == BodyLength::Kind::kNone && !stream.is_websocket;
  const nghttp2_data_provider body = body_of(stream);
  Told told(block);
  // By these it knows what the response may be.
  if (stream.is_websocket || stream.method == Method::kHead || stream.method == Method::kConnect)
    told.add(":method", method);
  const std::int32_t number = nghttp2_submit_request(
      session.library, nullptr, told.fields(), told.count(), is_whole ? nullptr : &body, &stream);
  if (number <= 0) return 0;
  stream.number = static_cast<std::uint32_t>(number);
  stream.writing = is_whole ? Http2Stream::Writing::kEnding : Http2Stream::Writing::kBody;
  session.stage(block);
  return static_cast<std::uint32_t>(number);
}

void submit_response(Http2Session& session, Http2Stream& stream, const ResponseHead& head,
                     std::uint16_t status, HeadEnds ends) {
  FieldBlock block;
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
  block.add(FieldBlock::Pseudo::kStatus, decimal(status, status_digits));
  block.add_list(head.fields, skipped);
  if (!is_bodiless_message && head.body.kind == BodyLength::Kind::kKnown) {
    block.add_length(decimal(head.body.bytes, length_digits));
  } else if (!is_bodiless_message && head.body.kind == BodyLength::Kind::kNone &&
             head.fields.find(FieldName::kContentLength) != nullptr) {
    block.add_length("0");
  }
  const nghttp2_data_provider body = body_of(stream);
  const Told told(block);
  nghttp2_submit_response(session.library, id_of(stream), told.fields(), told.count(),
                          ends == HeadEnds::kHalf ? nullptr : &body);
  session.stage(block);
}

void submit_informational(Http2Session& session, const Http2Stream& stream,
                          const ResponseHead& head) {
  FieldBlock block;
  Digits digits;
  block.add(FieldBlock::Pseudo::kStatus, decimal(head.status, digits));
  block.add_list(head.fields, kNeverWritten);
  const Told told(block);
  nghttp2_submit_headers(session.library, NGHTTP2_FLAG_NONE, id_of(stream), nullptr, told.fields(),
                         told.count(), nullptr);
  session.stage(block);
}

void submit_trailers(Http2Session& session, const Http2Stream& stream, const HeaderList& trailers) {
  FieldBlock block;
  block.add_list(trailers, kNeverWritten);
  const Told told(block);
  nghttp2_submit_trailer(session.library, id_of(stream), told.fields(), told.count());
  session.stage(block);
}

void keep_trailers(const HeaderList& trailers, Buffer& kept) {
  for (const Field& field : trailers.fields()) {
    if (field.is_removed() || (kNeverWritten & bit(field.id)) != 0) continue;
    const KeptField sizes{static_cast<std::uint32_t>(field.name().size()),
                          static_cast<std::uint32_t>(field.value().size())};
    std::memcpy(kept.reserve(sizeof sizes), &sizes, sizeof sizes);
    kept.commit(sizeof sizes);
    kept.append(field.name());
    kept.append(field.value());
  }
}

// Called back while frames are made.
void submit_kept_trailers(Http2Session& session, const Http2Stream& stream) {
  const Told told{FieldBlock(stream.trailers.view())};
  nghttp2_submit_trailer(session.library, id_of(stream), told.fields(), told.count());
}

}  // namespace limpet
