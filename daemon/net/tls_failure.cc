// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_failure.h"

namespace limpet {

std::string_view word_of(TlsFailureCause cause) noexcept {
  switch (cause) {
    case TlsFailureCause::kNoSharedCipher:
      return "no-shared-cipher";
    case TlsFailureCause::kVersion:
      return "version";
    case TlsFailureCause::kNoCertificate:
      return "no-certificate";
    case TlsFailureCause::kBadCertificate:
      return "bad-certificate";
    case TlsFailureCause::kTimeout:
      return "timeout";
    case TlsFailureCause::kClosed:
      return "closed";
    case TlsFailureCause::kNotTls:
      return "not-tls";
    case TlsFailureCause::kOther:
      break;
  }
  return "other";
}

std::optional<std::uint64_t> TlsFailureLog::admit(TlsFailureCause cause, Instant now) noexcept {
  Row& row = rows_[static_cast<std::size_t>(cause)];
  const std::int64_t second =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::int64_t last = row.second.load(std::memory_order_relaxed);
  // Of several threads in the same second, one puts it down.
  if (last >= second || !row.second.compare_exchange_strong(last, second)) {
    row.silent.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  return row.silent.exchange(0, std::memory_order_relaxed);
}

}  // namespace limpet
