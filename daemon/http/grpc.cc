// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/grpc.h"

#include <limits>

#include "daemon/base/text.h"

namespace limpet {
namespace {

// A message stands behind a byte that says whether it is compressed, and its length.
constexpr std::size_t kPrefixBytes = 5;

// The wire types of protocol buffers; 3 and 4 were groups and are no more.
enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr std::uint32_t kServiceField = 1;
constexpr std::uint32_t kStatusField = 1;
constexpr std::uint64_t kServing = 1;

constexpr std::uint8_t as_byte(char c) noexcept { return static_cast<std::uint8_t>(c); }

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(0x80 | (value & 0x7f));
  out += static_cast<char>(value);
}

// Takes a varint off the front of `rest`; ten bytes at most, the last of which has one bit.
bool take_varint(std::string_view& rest, std::uint64_t& value) noexcept {
  value = 0;
  for (std::size_t i = 0; i < rest.size() && i < 10; ++i) {
    const std::uint8_t byte = as_byte(rest[i]);
    if (i == 9 && byte > 1) return false;
    value |= std::uint64_t{byte & 0x7fU} << (7 * i);
    if (byte < 0x80) {
      rest.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool skip(std::string_view& rest, std::uint64_t bytes) noexcept {
  if (bytes > rest.size()) return false;
  rest.remove_prefix(static_cast<std::size_t>(bytes));
  return true;
}

bool skip_value(std::string_view& rest, WireType type) noexcept {
  std::uint64_t value = 0;
  switch (type) {
    case WireType::kVarint:
      return take_varint(rest, value);
    case WireType::kFixed64:
      return skip(rest, 8);
    case WireType::kBytes:
      return take_varint(rest, value) && skip(rest, value);
    case WireType::kFixed32:
      return skip(rest, 4);
  }
  return false;
}

// HealthCheckResponse: the last status counts, none is UNKNOWN, and fields of later versions are
// passed over.
GrpcHealth health_in(std::string_view message) noexcept {
  std::uint64_t status = 0;
  while (!message.empty()) {
    std::uint64_t tag = 0;
    if (!take_varint(message, tag)) return GrpcHealth::kMalformed;
    const std::uint64_t field = tag >> 3;
    const auto type = static_cast<WireType>(tag & 7);
    if (field == 0 || tag > std::numeric_limits<std::uint32_t>::max())
      return GrpcHealth::kMalformed;
    const bool is_status = field == kStatusField && type == WireType::kVarint;
    if (!(is_status ? take_varint(message, status) : skip_value(message, type)))
      return GrpcHealth::kMalformed;
  }
  return status == kServing ? GrpcHealth::kServing : GrpcHealth::kNotServing;
}

}  // namespace

bool is_grpc(std::string_view content_type) noexcept {
  constexpr std::string_view kType = "application/grpc";
  if (!text::starts_with_ignoring_case(content_type, kType)) return false;
  const std::string_view rest = text::trim(content_type.substr(kType.size()));
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

bool is_grpc(const RequestHead& request) noexcept {
  return is_grpc(request.fields.value(FieldName::kContentType));
}

GrpcStatus grpc_status_for(std::uint16_t http_status) noexcept {
  switch (http_status) {
    case 400:
      return GrpcStatus::kInternal;
    case 401:
      return GrpcStatus::kUnauthenticated;
    case 403:
      return GrpcStatus::kPermissionDenied;
    case 404:
      return GrpcStatus::kUnimplemented;
    case 429:
    case 502:
    case 503:
      return GrpcStatus::kUnavailable;
    case 504:
      return GrpcStatus::kDeadlineExceeded;
    default:
      return GrpcStatus::kUnknown;
  }
}

std::optional<std::uint32_t> grpc_status_in(const HeaderList& fields) noexcept {
  const Field* field = fields.find("grpc-status");
  if (field == nullptr) return std::nullopt;
  const auto code = text::parse_unsigned(field->value());
  if (!code || *code > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(*code);
}

void append_grpc_message(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    if (c >= 0x20 && c <= 0x7e && c != '%') {
      out += c;
      continue;
    }
    out += '%';
    out += kDigits[as_byte(c) >> 4];
    out += kDigits[as_byte(c) & 0xf];
  }
}

std::string grpc_health_request(std::string_view service) {
  service = service.substr(0, kGrpcServiceBytesMax);
  std::string message;
  if (!service.empty()) {
    append_varint(message, kServiceField << 3 | static_cast<std::uint32_t>(WireType::kBytes));
    append_varint(message, service.size());
    message += service;
  }
  std::string body(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8)
    body += static_cast<char>(message.size() >> shift & 0xff);
  return body + message;
}

GrpcHealth read_grpc_health(std::string_view body) noexcept {
  if (body.empty()) return GrpcHealth::kNeedsMore;
  // A compressed message answers a caller that has offered to read such.
  if (body.front() != '\0') return GrpcHealth::kMalformed;
  if (body.size() < kPrefixBytes) return GrpcHealth::kNeedsMore;
  std::uint64_t length = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i)
    length = length << 8 | as_byte(body[i]);
  const std::string_view message = body.substr(kPrefixBytes);
  if (length > kGrpcHealthBytesMax - kPrefixBytes) return GrpcHealth::kMalformed;
  if (message.size() < length) return GrpcHealth::kNeedsMore;
  if (message.size() > length) return GrpcHealth::kMalformed;
  return health_in(message);
}

}  // namespace limpet
