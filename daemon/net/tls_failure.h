// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsFailure: why a handshake failed, as a cause of few words for counters and a text for the log,
// and TlsFailureLog: whether this one is worth a line. Counting is the caller's; it counts all.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace limpet {

enum class TlsFailureCause : std::uint8_t {
  kNoSharedCipher,  ///< nothing in common: ciphers, groups, signatures, ALPN
  kVersion,         ///< the protocol version of one side is refused by the other
  kNoCertificate,   ///< a certificate was required and none came
  kBadCertificate,  ///< one side refused the other's certificate
  kTimeout,         ///< the handshake took too long
  kClosed,          ///< the other side closed or reset the connection
  kNotTls,          ///< the first byte is not TLS: plain HTTP, a PROXY header, noise
  kOther,
};
inline constexpr std::size_t kTlsFailureCauses = 8;

/// "no-shared-cipher", "version", "no-certificate", "bad-certificate", "timeout", "closed",
/// "not-tls", "other": the word in metrics and log.
[[nodiscard]] std::string_view word_of(TlsFailureCause cause) noexcept;

/// Why a handshake failed.
struct TlsFailure {
  TlsFailureCause cause = TlsFailureCause::kOther;
  std::string text;  ///< for the log; no bytes of the other side but escaped ones
};

/// Lets one failure a cause and second through to the log.
/// Thread: any; one object for all workers, no lock.
class TlsFailureLog {
 public:
  /// Nothing where this failure gets no line; else how many of its cause got none since the last
  /// line.
  [[nodiscard]] std::optional<std::uint64_t> admit(TlsFailureCause cause, Instant now) noexcept;

 private:
  struct Row {
    std::atomic<std::int64_t> second{-1};
    std::atomic<std::uint64_t> silent{0};
  };
  std::array<Row, kTlsFailureCauses> rows_;
};

}  // namespace limpet
