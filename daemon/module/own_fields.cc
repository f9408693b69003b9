// SPDX-License-Identifier: Apache-2.0
#include "daemon/module/own_fields.h"

#include "daemon/http/headers.h"

namespace limpet {

std::string_view refusal_of_field(std::string_view lower_case_name) noexcept {
  switch (known_name(lower_case_name)) {
    case FieldName::kContentLength:
    case FieldName::kTransferEncoding:
    case FieldName::kTrailer:
      return "it says where the message ends, which limpet does";
    case FieldName::kConnection:
    case FieldName::kKeepAlive:
    case FieldName::kProxyConnection:
    case FieldName::kTe:
    case FieldName::kUpgrade:
    case FieldName::kExpect:
    case FieldName::kHttp2Settings:
      return "it belongs to one connection, which limpet manages";
    case FieldName::kHost:
      return "it chooses the route; see forward_host";
    default:
      return {};
  }
}

}  // namespace limpet
