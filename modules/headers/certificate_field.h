// SPDX-License-Identifier: Apache-2.0
#pragma once
// CertificateField: the request field that tells the replica the subject of the client's
// certificate. What a client sends under that name is taken out, whether it has a certificate or
// not, so that the replica can believe the field. Neighbour: field_edit.h, whose values are fixed.

#include <string>

#include "daemon/config/reader.h"
#include "daemon/http/headers.h"
#include "daemon/module/exchange.h"

namespace limpet {

/// Lifetime: outlives every head that it was applied to: the heads borrow its name.
class CertificateField {
 public:
  /// Reads `client_certificate` of the table; mistakes are reported through the reader. `root` is
  /// the whole file.
  [[nodiscard]] static CertificateField read(const ConfigReader& reader, const ConfigReader& root);

  [[nodiscard]] bool is_empty() const noexcept { return name_.empty(); }
  void apply(Exchange& exchange) const;

 private:
  std::string name_;  // lower case; empty = none
  FieldName id_ = FieldName::kOther;
};

}  // namespace limpet
