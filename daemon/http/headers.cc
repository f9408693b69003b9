// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/headers.h"

#include <cstring>

#include "daemon/http/field_names.h"

namespace limpet {

namespace {

// A name of known length against one spelling: a few wide compares, no call.
template <FieldName kName>
[[nodiscard]] inline bool is(const char* name) noexcept {
  constexpr std::string_view kText = kFieldSpellings[static_cast<std::size_t>(kName)];
  return std::memcmp(name, kText.data(), kText.size()) == 0;
}

// The first of `kNames`, all of one length, that `name` spells.
template <FieldName... kNames>
[[nodiscard]] inline FieldName one_of(const char* name) noexcept {
  FieldName found = FieldName::kOther;
  static_cast<void>(((is<kNames>(name) && (found = kNames, true)) || ...));
  return found;
}

}  // namespace

std::string_view spelling(FieldName name) noexcept {
  return kFieldSpellings[static_cast<std::size_t>(name)];
}

FieldName known_name(std::string_view lower_case) noexcept {
  using enum FieldName;
  const char* name = lower_case.data();
  switch (lower_case.size()) {
    case 2:
      return one_of<kTe>(name);
    case 3:
      return one_of<kVia>(name);
    case 4:
      return one_of<kHost, kDate>(name);
    case 6:
      return one_of<kAccept, kCookie, kServer, kOrigin, kExpect>(name);
    case 7:
      return one_of<kReferer, kUpgrade, kTrailer>(name);
    case 8:
      return one_of<kLocation, kMcpName>(name);
    case 9:
      return one_of<kForwarded, kXRealIp>(name);
    case 10:
      return one_of<kUserAgent, kConnection, kSetCookie, kKeepAlive, kMcpMethod>(name);
    case 11:
      return one_of<kTraceparent, kRetryAfter>(name);
    case 12:
      return one_of<kContentType, kXRequestId>(name);
    case 13:
      return one_of<kCacheControl, kAuthorization, kLastEventId>(name);
    case 14:
      return one_of<kContentLength, kMcpSessionId, kHttp2Settings>(name);
    case 15:
      return one_of<kXForwardedFor, kLimpetAffinity>(name);
    case 16:
      return one_of<kXForwardedHost, kXForwardedPort, kProxyConnection>(name);
    case 17:
      return one_of<kTransferEncoding, kXForwardedProto, kSecWebsocketKey>(name);
    case 18:
      return one_of<kLimpetIncarnation>(name);
    case 20:
      return one_of<kMcpProtocolVersion, kSecWebsocketAccept>(name);
    case 28:
      return one_of<kArrDisableSessionAffinity>(name);
    default:
      return kOther;
  }
}

void HeaderList::add_copy(std::string_view lower_case_name, std::string_view value) {
  const FieldName id = known_name(lower_case_name);
  const std::string_view name =
      id == FieldName::kOther ? arena_->copy(lower_case_name) : spelling(id);
  add(id, name, arena_->copy(value));
}

void HeaderList::remove_present(FieldName id) noexcept {
  for (Field& field : fields()) {
    if (field.id == id) remove(field);
  }
}

void HeaderList::remove(std::string_view lower_case_name) noexcept {
  for (Field& field : fields()) {
    if (field.name() == lower_case_name) remove(field);
  }
}

const Field* HeaderList::find(std::string_view lower_case_name) const noexcept {
  for (const Field& field : fields()) {
    if (!field.is_removed() && field.name() == lower_case_name) return &field;
  }
  return nullptr;
}

const Field* HeaderList::find_present(FieldName id) const noexcept {
  for (const Field& field : fields()) {
    if (field.id == id && !field.is_removed()) return &field;
  }
  return nullptr;
}

HeaderList HeaderList::copy() const {
  HeaderList made = *this;
  made.capacity_ = count_;
  made.fields_ = static_cast<Field*>(arena_->allocate(sizeof(Field) * count_));
  made.run_end_ = made.fields_ + (run_end_ - fields_);
  if (count_ > 0) std::memcpy(made.fields_, fields_, sizeof(Field) * count_);
  return made;
}

void HeaderList::grow() {
  const auto wanted = static_cast<std::uint16_t>(capacity_ == 0 ? kFirstCapacity : capacity_ * 2);
  // No constructors: add() writes every member of a field.
  auto* bigger = static_cast<Field*>(arena_->allocate(sizeof(Field) * wanted));
  if (count_ > 0) std::memcpy(bigger, fields_, sizeof(Field) * count_);
  run_end_ = bigger + (run_end_ - fields_);
  fields_ = bigger;
  capacity_ = wanted;
}

}  // namespace limpet
