// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/framing.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"

namespace limpet {

namespace {

// Whether every part of the list is a token, and whether the last one is chunked.
[[nodiscard]] Refusal judge_coding_list(std::string_view list) noexcept {
  std::string_view coding;
  std::size_t chunked = 0;
  do {
    coding = text::trim(text::cut(list, ','));
    const std::size_t name_bytes = coding.find(';');
    const std::string_view name = text::trim(coding.substr(0, name_bytes));
    if (!chars::is_token(name)) return bad("RFC 9112 section 6.1: malformed Transfer-Encoding");
    if (text::equals_ignoring_case(name, "chunked")) {
      if (name_bytes != std::string_view::npos)
        return bad("RFC 9112 section 7.1: chunked has no parameters");
      ++chunked;
    } else if (list.empty()) {
      return bad("RFC 9112 section 6.3: the last transfer coding of a request is not chunked");
    }
  } while (!list.empty());
  if (chunked > 1) return bad("RFC 9112 section 6.1: chunked applied more than once");
  return {Fault::kUnknownCoding, "RFC 9112 section 6.1: transfer coding other than chunked"};
}

[[nodiscard]] Refusal judge_coding(std::string_view value, HttpVersion version) noexcept {
  if (version == HttpVersion::kHttp10)
    return bad("RFC 9112 section 6.1: Transfer-Encoding in HTTP/1.0");
  if (text::equals_ignoring_case(value, "chunked")) return {};
  if (value.empty() || value.back() == ',')
    return bad("RFC 9112 section 6.1: malformed Transfer-Encoding");
  return judge_coding_list(value);
}

constexpr std::uint64_t kNoLength = ~std::uint64_t{0};

[[gnu::noinline]] [[nodiscard]] std::uint64_t parse_long_length(std::string_view value) noexcept {
  constexpr std::uint64_t kMax = std::uint64_t{1} << 63;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (!text::is_digit(c) || length > kMax / 10) return kNoLength;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return length < kMax ? length : kNoLength;
}

// 1*DIGIT below 2^63 and nothing else, or kNoLength.
[[nodiscard]] inline std::uint64_t parse_length(std::string_view value) noexcept {
  constexpr std::size_t kSafeDigits = 18;
  if (value.size() > kSafeDigits) return parse_long_length(value);
  std::uint64_t length = 0;
  for (const char c : value) {
    const unsigned digit = static_cast<unsigned char>(c) - unsigned{'0'};
    if (digit > 9) return kNoLength;
    length = length * 10 + digit;
  }
  return value.empty() ? kNoLength : length;
}

[[nodiscard]] Refusal refused_twice(FieldName name) noexcept {
  return name == FieldName::kContentLength
             ? bad("RFC 9112 section 6.3: more than one Content-Length")
             : bad("RFC 9112 section 6.1: more than one Transfer-Encoding");
}

[[gnu::noinline]] [[nodiscard]] Refusal framing_by_coding(std::string_view coding,
                                                          const Field* length, HttpVersion version,
                                                          BodyLength& body) noexcept {
  if (length != nullptr)
    return bad("RFC 9112 section 6.3: Content-Length together with Transfer-Encoding");
  const Refusal refusal = judge_coding(coding, version);
  if (!refusal.is_refused()) body = {BodyLength::Kind::kUnknown, 0};
  return refusal;
}

constexpr std::array kForbiddenStarts = {std::string_view{"content-"},
                                         std::string_view{"proxy-"},
                                         std::string_view{"if-"},
                                         std::string_view{"sec-"},
                                         std::string_view{"x-forwarded-"},
                                         std::string_view{"limpet-"},
                                         std::string_view{"access-control-"}};

constexpr std::array kForbiddenNames = {std::string_view{"age"},
                                        std::string_view{"expires"},
                                        std::string_view{"max-forwards"},
                                        std::string_view{"pragma"},
                                        std::string_view{"range"},
                                        std::string_view{"vary"},
                                        std::string_view{"accept-ranges"},
                                        std::string_view{"allow"},
                                        std::string_view{"www-authenticate"},
                                        std::string_view{"strict-transport-security"},
                                        std::string_view{"origin-agent-cluster"},
                                        std::string_view{"refresh"}};

}  // namespace

Refusal framing_by_fields(const HeaderList& fields, HttpVersion version, BodyLength::Kind otherwise,
                          BodyLength& body) noexcept {
  const Field* length = nullptr;
  const Field* coding = nullptr;
  for (const Field& field : fields.fields()) {
    if ((kLengthFields >> static_cast<unsigned>(field.id) & 1) == 0 || field.is_removed()) continue;
    const bool is_length = field.id == FieldName::kContentLength;
    if ((is_length ? length : coding) != nullptr) return refused_twice(field.id);
    (is_length ? length : coding) = &field;
  }
  if (coding != nullptr) return framing_by_coding(coding->value(), length, version, body);
  if (length == nullptr) {
    body = {otherwise, 0};
    return {};
  }
  const std::uint64_t bytes = parse_length(length->value());
  if (bytes == kNoLength)
    return bad("RFC 9112 section 6.3: Content-Length is not one decimal number");
  body = {bytes == 0 ? BodyLength::Kind::kNone : BodyLength::Kind::kKnown, bytes};
  body.is_told = length->value().front() != '0';
  return {};
}

Refusal response_framing(const HeaderList& fields, HttpVersion version, std::uint16_t status,
                         Method method, BodyLength& body) noexcept {
  body = {BodyLength::Kind::kUnknown, 0};
  if (fields.may_have_any(kLengthFields)) {
    const Refusal refusal = framing_by_fields(fields, version, BodyLength::Kind::kUnknown, body);
    if (refusal.is_refused()) return refusal;
  }
  const bool is_accepted_connect = method == Method::kConnect && status >= 200 && status < 300;
  if (status == 101 || is_accepted_connect) {
    body = {BodyLength::Kind::kTunnel, 0};
  } else if (method == Method::kHead || is_bodiless(status)) {
    body = {};
  }
  return {};
}

bool is_trailer_allowed(const Field& field) noexcept {
  using enum FieldName;
  switch (field.id) {
    case kOther:
      break;
    case kAccept:
    case kLastEventId:
    case kReferer:
    case kServer:
    case kTraceparent:
    case kUserAgent:
      return true;
    default:
      return false;  // every other name that limpet reads steers something
  }
  const std::string_view name = field.name();
  return std::none_of(kForbiddenStarts.begin(), kForbiddenStarts.end(),
                      [name](std::string_view start) { return name.starts_with(start); }) &&
         std::find(kForbiddenNames.begin(), kForbiddenNames.end(), name) == kForbiddenNames.end();
}

}  // namespace limpet
