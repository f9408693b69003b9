// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/response_lines.h"

#include <algorithm>

namespace limpet {

void ResponseLines::add_some_to(ResponseHead& head) {
  if (!head.fields.may_have(FieldName::kDate)) {
    head.fields.add_line(FieldName::kDate, {lines_.data(), DateCache::kLineBytes},
                         DateCache::kNameBytes);
  }
  add_via(head.fields, head.version);
}

void ResponseLines::renew(WallSeconds now) noexcept {
  second_ = now;
  const std::string_view date = date_.line(now);
  std::copy(kVia.begin(), kVia.end(), std::copy(date.begin(), date.end(), lines_.begin()));
}

}  // namespace limpet
