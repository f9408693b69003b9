// SPDX-License-Identifier: Apache-2.0
#include "modules/headers/certificate_field.h"

#include <algorithm>
#include <string_view>

#include "daemon/base/text.h"
#include "daemon/module/client_certificate.h"
#include "modules/headers/field_edit.h"

namespace limpet {
namespace {

// Frameworks that hand fields on as variables take "-" and "_" for the same.
bool reads_alike(std::string_view one, std::string_view other) noexcept {
  const auto folded = [](char c) { return c == '_' ? '-' : c; };
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [&](char a, char b) { return folded(a) == folded(b); });
}

}  // namespace

CertificateField CertificateField::read(const ConfigReader& reader, const ConfigReader& root) {
  constexpr std::string_view kKey = "client_certificate";
  CertificateField field;
  const std::string name =
      reader.text(kKey, "", "the field that holds the subject of the client's certificate");
  if (name.empty()) return field;
  if (const std::string fault = fault_of_field_name(name); !fault.empty()) {
    reader.mistake(kKey, std::string(kKey) + ": " + fault);
    return field;
  }
  expect_client_certificates(reader, kKey, root);
  field.name_ = text::to_lower(name);
  field.id_ = known_name(field.name_);
  return field;
}

void CertificateField::apply(Exchange& exchange) const {
  HeaderList& fields = exchange.request.fields;
  for (Field& field : fields.fields()) {
    if (reads_alike(field.name(), name_)) fields.remove(field);
  }
  const std::string_view subject = exchange.client.tls_subject;
  if (!subject.empty()) fields.add(id_, name_, subject);
}

}  // namespace limpet
