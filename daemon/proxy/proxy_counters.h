// SPDX-License-Identifier: Apache-2.0
#pragma once
// ProxyCounters: the handles of the numbers that the machine itself counts in one worker, asked for
// once. What modules count is theirs.

#include <array>

#include "daemon/http/http2_floods.h"
#include "daemon/http/stream_event.h"
#include "daemon/metrics/counter.h"

namespace limpet {

struct ProxyCounters {
  explicit ProxyCounters(MetricSet& metrics);

  /// Requests refused for what is wrong with them.
  [[nodiscard]] Counter& bad_request(Fault fault) noexcept {
    return *bad_requests[static_cast<std::size_t>(fault)];
  }

  Counter* timeout_request_head;
  Counter* timeout_client_stall;
  Counter* timeout_connect;
  Counter* timeout_response_head;
  Counter* timeout_response_body;
  Counter* timeout_stream_idle;
  Counter* limit_connections;
  Counter* limit_client_connections;
  Counter* limit_descriptors;
  Counter* limit_queue;
  Counter* limit_body;
  Counter* limit_handshakes;
  Counter* redials;  ///< requests sent again because a kept connection was stale
  /// What HTTP/2 peers did too often.
  void count(const Http2FloodReport& report, FloodMode mode) noexcept;
  /// The numbers of one side's HTTP/2.
  struct Http2Side {
    Gauge* streams;
    Counter* goaways_sent;
    Counter* goaways_received;
  };
  Http2Side http2_clients{};
  Http2Side http2_replicas{};

  static constexpr std::size_t kFaults = 16;
  std::array<Counter*, kFaults> bad_requests{};
  std::array<std::array<Counter*, 2>, kHttp2Floods> floods{};  ///< by budget and mode
};

}  // namespace limpet
