// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/expectation.h"

#include "daemon/base/text.h"

namespace limpet {

Refusal read_expect(RequestHead& head) noexcept {
  if (!head.fields.may_have(FieldName::kExpect)) return {};
  for (const Field& field : head.fields.fields()) {
    if (field.id != FieldName::kExpect) continue;
    if (!text::equals_ignoring_case(field.value(), "100-continue")) {
      return {Fault::kExpectationFailed, "RFC 9110 section 10.1.1: unknown expectation"};
    }
  }
  // Without a body there is nothing to wait for, and HTTP/1.0 knows no 100: the replica is not
  // asked.
  head.expects_continue =
      head.body.kind != BodyLength::Kind::kNone && head.version != HttpVersion::kHttp10;
  if (!head.expects_continue) head.fields.remove(FieldName::kExpect);
  return {};
}

}  // namespace limpet
