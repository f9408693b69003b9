// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/hop_by_hop.h"

#include <array>
#include <limits>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"

namespace limpet {

namespace {

using text::equals_ignoring_case;

constexpr std::size_t kOptionsMax = 32;

// Fields that decide where a message goes or where it ends: no next hop may lose them by
// nomination.
constexpr std::array kNeverNominated = {
    std::string_view{"host"}, std::string_view{"content-length"},
    std::string_view{"transfer-encoding"}, std::string_view{"expect"}, std::string_view{"trailer"}};

void remove_named(HeaderList& fields, std::string_view option) noexcept {
  for (Field& field : fields.fields()) {
    if (equals_ignoring_case(field.name(), option)) fields.remove(field);
  }
}

[[nodiscard]] bool is_never_nominated(std::string_view option) noexcept {
  for (const std::string_view name : kNeverNominated) {
    if (equals_ignoring_case(option, name)) return true;
  }
  return false;
}

void read_option(std::string_view option, HeaderList& fields, MessageKind kind,
                 HopByHop& said) noexcept {
  if (chars::lowers_to(option, "keep-alive")) {
    said.has_keep_alive = true;
  } else if (chars::lowers_to(option, "close")) {
    said.has_close = true;
  } else if (chars::lowers_to(option, "upgrade")) {
    said.has_upgrade = true;
  } else if (!chars::is_token(option)) {
    said.fault = "RFC 9110 section 7.6.1: connection option is not a token";
  } else if (!is_never_nominated(option)) {
    remove_named(fields, option);
  } else if (kind == MessageKind::kRequest) {
    said.fault =
        "RFC 9110 section 7.6.1: Connection names a field that frames or routes the request";
  }
}

void read_connection(std::string_view list, HeaderList& fields, MessageKind kind, HopByHop& said,
                     std::size_t& options) noexcept {
  while (!list.empty() && said.fault == nullptr) {
    const std::string_view option = text::trim(text::cut(list, ','));
    if (++options > kOptionsMax) {
      said.fault = "RFC 9110 section 7.6.1: too many connection options";
    } else if (!option.empty()) {  // RFC 9110 section 5.6.1.2: empty elements are ignored
      read_option(option, fields, kind, said);
    }
  }
}

[[nodiscard]] bool lists(std::string_view list, std::string_view wanted) noexcept {
  while (!list.empty()) {
    if (equals_ignoring_case(text::trim(text::cut(list, ',')), wanted)) return true;
  }
  return false;
}

// What is no number that makes sense was not said.
[[nodiscard]] std::uint16_t timeout_in(std::string_view list) noexcept {
  constexpr std::string_view kName = "timeout=";
  while (!list.empty()) {
    const std::string_view parameter = text::trim(text::cut(list, ','));
    if (!text::starts_with_ignoring_case(parameter, kName)) continue;
    const auto seconds = text::parse_unsigned(parameter.substr(kName.size()));
    return seconds && *seconds <= std::numeric_limits<std::uint16_t>::max()
               ? static_cast<std::uint16_t>(*seconds)
               : std::uint16_t{0};
  }
  return 0;
}

}  // namespace

HopByHop strip_hop_by_hop(HeaderList& fields, MessageKind kind) noexcept {
  HopByHop said;
  if (!fields.may_have_any(kHopByHopFields)) return said;
  std::size_t options = 0;
  for (Field& field : fields.fields()) {
    if ((kHopByHopFields & HeaderList::bit(field.id)) == 0) continue;
    // A nominated Connection, TE or Upgrade is read all the same: whether it is removed is not
    // asked.
    fields.remove(field);
    if (field.id == FieldName::kConnection) {
      read_connection(field.value(), fields, kind, said, options);
      if (said.fault != nullptr) return said;
    } else if (field.id == FieldName::kTe) {
      said.accepts_trailers = said.accepts_trailers || lists(field.value(), "trailers");
    } else if (field.id == FieldName::kUpgrade) {
      said.offers_websocket = said.offers_websocket || lists(field.value(), "websocket");
    } else if (field.id == FieldName::kKeepAlive) {
      said.kept_seconds = timeout_in(field.value());
    }
  }
  return said;
}

}  // namespace limpet
