// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/admin.h"

#include <string>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/control/gauges.h"
#include "daemon/control/page.h"
#include "daemon/control/views.h"
#include "daemon/metrics/exposition.h"

namespace limpet::control {

namespace {

Response words(std::uint16_t status, std::string body) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Response json(std::string body) {
  Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

Response page() {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = status_page();
  response.fields = {{"content-security-policy",
                      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                      "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"},
                     {"referrer-policy", "no-referrer"}};
  return response;
}

Response metrics(const Process& process) {
  Response response;
  response.content_type = kExpositionType;
  response.body = exposition(process.metric_sets(), gauges(process));
  return response;
}

Response readiness(const Process& process) {
  switch (process.facts().stage) {
    case ProcessFacts::Stage::kReady:
      return words(200, "ready\n");
    case ProcessFacts::Stage::kStarting:
      return words(503, "starting\n");
    case ProcessFacts::Stage::kDraining:
      return words(503, "draining\n");
  }
  return words(503, "starting\n");
}

// What machines ask by whatever name they know this one under, and what tells nothing in detail.
bool is_for_machines(std::string_view path) {
  return path == "/metrics" || path == "/healthz" || path == "/readyz";
}

}  // namespace

bool is_literal_host(std::string_view host) {
  if (host.empty()) return true;  // HTTP/1.0; no browser sends that
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  const std::string_view name = has_port ? host.substr(0, colon) : host;
  return text::equals_ignoring_case(name, "localhost") || Address::parse_ip(name).has_value();
}

Admin::Admin(Loop& loop, const Process& process)
    : process_(process), service_(loop, [this](const Request& request, const Reply& reply) {
        reply(answer(request));
      }) {}

void Admin::listen(Fd listening, const Address& bound) {
  is_local_ = bound.is_loopback() || bound.is_unix();
  service_.listen(std::move(listening));
}

Response Admin::answer(const Request& request) const {
  const std::string_view path = request.path;
  const bool is_name_allowed = !is_local_ && is_for_machines(path);
  if (!is_name_allowed && !is_literal_host(request.host)) {
    return words(403, "Ask by an address or as localhost: the Host field is another name.\n");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    Response refusal = words(405, "The admin listener is read only; use limpetctl to change.\n");
    refusal.fields = {{"allow", "GET, HEAD"}};
    return refusal;
  }
  if (path == "/metrics") return metrics(process_);
  if (path == "/healthz") return words(200, "alive\n");
  if (path == "/readyz") return readiness(process_);
  if (path == "/") return page();
  if (path == "/api/v1/status") return json(status_json(process_));
  if (path == "/api/v1/pools") return json(pools_json(process_));
  if (path == "/api/v1/replicas") return json(replicas_json(process_));
  return words(404,
               "Here are: / /metrics /healthz /readyz /api/v1/status /api/v1/pools "
               "/api/v1/replicas\n");
}

}  // namespace limpet::control
