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
  limit_handshakes = limit("handshakes");
  for (std::size_t i = 0; i < kHttp2Floods; ++i) {
    const std::string kind(name_of(static_cast<Http2Flood>(i)));
    for (const FloodMode mode : {FloodMode::kEnforce, FloodMode::kReport}) {
      floods[i][static_cast<std::size_t>(mode)] = &metrics.counter(
          "limpet_h2_violations_total",
          {{"kind", kind}, {"mode", mode == FloodMode::kEnforce ? "enforce" : "report"}});
    }
  }
  const auto side = [&](const char* name) {
    const auto goaways = [&](const char* direction) {
      return &metrics.counter("limpet_http2_goaways_total",
                              {{"side", name}, {"direction", direction}});
    };
    return Http2Side{&metrics.gauge("limpet_http2_streams", {{"side", name}}), goaways("sent"),
                     goaways("received")};
  };
  http2_clients = side("client");
  http2_replicas = side("replica");
  redials = &metrics.counter("limpet_redials_total");
  for (std::size_t i = 0; i < kFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    // What is never a request's has no row of its own.
    const bool is_of_request = fault != Fault::kNone && fault != Fault::kBadResponse;
    const std::uint16_t status = status_of(is_of_request ? fault : Fault::kBadRequest);
    bad_requests[i] =
        &metrics.counter("limpet_bad_requests_total", {{"status", std::to_string(status)}});
  }
}

void ProxyCounters::count(const Http2FloodReport& report, FloodMode mode) noexcept {
  for (std::size_t i = 0; i < kHttp2Floods; ++i) {
    if (report.exceeded[i] > 0) floods[i][static_cast<std::size_t>(mode)]->add(report.exceeded[i]);
  }
}

}  // namespace limpet
