// SPDX-License-Identifier: Apache-2.0
#pragma once
// Line formats of the access log: one exchange as a line of JSON or of the combined format.

#include <string_view>

#include "daemon/base/timestamp.h"
#include "daemon/module/exchange.h"
#include "modules/access_log/line_builder.h"

namespace limpet::access_log {

/// Whether the query of the target is written; it may hold what is nobody's business.
enum class Query : std::uint8_t { kHidden, kShown };

/// Makes lines of one worker.
/// Thread: its worker.
class LineFormat {
 public:
  explicit LineFormat(Query query) noexcept : query_(query) {}

  /// With the newline; valid until the next one is made.
  [[nodiscard]] std::string_view json(const Exchange& exchange, WallTime now);
  [[nodiscard]] std::string_view combined(const Exchange& exchange, WallTime now);

 private:
  void put_target(const RequestHead& request);
  void put_attempts(const Exchange& exchange);

  Query query_;
  LineBuilder line_;
  Timestamp timestamp_;
  std::string time_;
};

}  // namespace limpet::access_log
