// SPDX-License-Identifier: Apache-2.0
#pragma once
// Probing: what a plan asks to be sent to each replica, and the judge that turns results into
// health. The prober (proxy/prober.h) does the input and output, once for the process; the judge
// decides and is tested with a list of results.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/module/replica.h"

namespace limpet {

struct ProbeSpec {
  /// kGrpc: grpc.health.v1.Health/Check over HTTP/2 (http/grpc.h).
  enum class Type : std::uint8_t { kHttp, kTcp, kGrpc };
  Type type = Type::kHttp;
  std::string path = "/";
  std::string host;     ///< Host field; empty = the replica's address
  std::string service;  ///< of kGrpc; empty = the replica as a whole
  Duration timeout = std::chrono::seconds(2);

  friend bool operator==(const ProbeSpec&, const ProbeSpec&) = default;
};

/// How one probe ended.
struct ProbeResult {
  enum class Kind : std::uint8_t {
    kAnswered,    ///< kHttp: with `status`
    kConnected,   ///< kTcp
    kServing,     ///< kGrpc: the service is SERVING
    kNotServing,  ///< kGrpc: an answer that says anything else
    kRefused,
    kTimeout,
    kBroken
  };
  Kind kind = Kind::kBroken;
  std::uint16_t status = 0;      ///< of kAnswered
  std::string_view incarnation;  ///< Limpet-Incarnation response header, or empty
  Duration took{0};
};

/// One replica under observation.
/// Thread: main.
class ProbeJudge {
 public:
  virtual ~ProbeJudge() = default;
  [[nodiscard]] virtual const ProbeSpec& spec() const noexcept = 0;
  /// Before the first probe of this daemon's life (not after a reload): the wait before it.
  [[nodiscard]] virtual Duration first_delay() = 0;
  /// Takes a result into account, writes the replica's vitals, and says when to probe again.
  [[nodiscard]] virtual Duration on_result(const ProbeResult& result, Instant now,
                                           WallSeconds wall) = 0;
  /// Whether a result speaks for the replica; for the metrics.
  [[nodiscard]] virtual bool is_success(const ProbeResult& result) const noexcept {
    if (result.kind == ProbeResult::Kind::kConnected) return true;
    if (result.kind == ProbeResult::Kind::kServing) return true;
    return result.kind == ProbeResult::Kind::kAnswered && result.status >= 200 &&
           result.status < 400;
  }
  /// Takes the counts of `before` over, the judge of the same replica in the configuration before.
  /// False where the rhythm is not the same, so that the next probe is due after first_delay() at
  /// the latest.
  [[nodiscard]] virtual bool continues(const ProbeJudge& before) {
    static_cast<void>(before);
    return false;
  }
};

}  // namespace limpet
