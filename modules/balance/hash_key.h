// SPDX-License-Identifier: Apache-2.0
#pragma once
// HashKey: which part of a request decides where it goes under policy hash:KEY. It finds the part;
// hash.cc places it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/headers.h"
#include "daemon/module/exchange.h"

namespace limpet::balance {

/// The KEY of hash:KEY.
class HashKey {
 public:
  /// Reads "header:NAME", "query:NAME", "cookie:NAME", "client-ip" or "path".
  [[nodiscard]] static std::optional<HashKey> parse(std::string_view text);
  /// That part of the request, octet for octet; empty where the request has none.
  /// Borrows: the exchange.
  [[nodiscard]] std::string_view of(const Exchange& exchange) const noexcept;

 private:
  enum class Part : std::uint8_t { kHeader, kQuery, kCookie, kClientIp, kPath };

  Part part_ = Part::kClientIp;
  std::string name_;
  FieldName field_ = FieldName::kOther;
};

}  // namespace limpet::balance
