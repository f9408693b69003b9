// SPDX-License-Identifier: Apache-2.0
#pragma once
// Failure: how an attempt on a replica ended badly, and whether repeating it is safe. No text: the
// words are made when logged.

#include <cstdint>
#include <string_view>

namespace limpet {

enum class FailureCause : std::uint8_t {
  kNone,
  kConnectRefused,  ///< nobody listens: the process and its memory are no more
  kConnectTimeout,
  kConnectFailed,  ///< any other error of connect
  kUnsent,         ///< the connection ended before a byte of the request was written
  kRefusedStream,  ///< HTTP/2: the replica says that it has not processed it
  kReset,          ///< the connection ended after the request was written, before the response head
  kBadResponse,    ///< what came was not HTTP, or broke its rules
  kHeadTimeout,    ///< timeouts.response_head
  kBodyTimeout,    ///< timeouts.response_body, stream_idle
  kTruncated,      ///< the body ended before its end
  kOwnLimit,       ///< limpet has no descriptor or port left: no fault of the replica
  kStatus,         ///< a whole response whose status (502, 503, 504) may be worth another try
};

/// "connect-refused" and so on, for logs and labels.
[[nodiscard]] std::string_view name_of(FailureCause cause) noexcept;

/// Whether the same request may be sent once more.
enum class Repeat : std::uint8_t {
  kForbidden,  ///< response bytes went to the client, or body bytes are gone
  kIfAllowed,  ///< it may have been processed: only for idempotent methods, and only if the policy
               ///< says so
  kSafe,       ///< provably not processed
};

/// One failed attempt.
struct Failure {
  FailureCause cause = FailureCause::kNone;
  Repeat repeat = Repeat::kForbidden;
  std::uint16_t status = 0;  ///< of kStatus
};

}  // namespace limpet
