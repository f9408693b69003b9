// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/proxy_counters.h"

#include <string>

namespace limpet {

ProxyCounters::ProxyCounters(MetricSet& metrics) {
  const auto timeout = [&](const char* kind) {
    return &metrics.counter("limpet_timeouts_total", {{"kind", kind}});
  };
  const auto limit = [&](const char* kind) {
    return &metrics.counter("limpet_limits_total", {{"kind", kind}});
  };
  timeout_request_head = timeout("request_head");
  timeout_client_stall = timeout("client_stall");
  timeout_connect = timeout("connect");
  timeout_response_head = timeout("response_head");
  timeout_response_body = timeout("response_body");
  timeout_stream_idle = timeout("stream_idle");
  limit_connections = limit("connections");
  limit_client_connections = limit("connections_per_client");
  limit_descriptors = limit("descriptors");
  limit_queue = limit("queue");
  limit_body = limit("request_body_bytes");
  redials = &metrics.counter("limpet_redials_total");
  for (std::size_t i = 0; i < kFaults; ++i) {
    const std::uint16_t status = status_of(static_cast<Fault>(i));
    bad_requests[i] =
        &metrics.counter("limpet_bad_requests_total", {{"status", std::to_string(status)}});
  }
}

}  // namespace limpet
