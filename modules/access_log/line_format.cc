// SPDX-License-Identifier: Apache-2.0
#include "modules/access_log/line_format.h"

#include <algorithm>

namespace limpet::access_log {
namespace {

// Names of fields, numbers, time; everything that is not from outside.
constexpr std::size_t kPlainBytesMax = 1024;

std::string_view protocol_of(HttpVersion version) noexcept {
  switch (version) {
    case HttpVersion::kHttp10:
      return "HTTP/1.0";
    case HttpVersion::kHttp11:
      return "HTTP/1.1";
    case HttpVersion::kHttp2:
      return "HTTP/2.0";
  }
  return "";
}

std::string_view client_of(const Exchange& exchange) noexcept {
  return exchange.client_address.empty() ? exchange.client.address : exchange.client_address;
}

// The ids of the trace that the request is part of, empty where it says none that can be read.
// W3C Trace Context section 3.2: version-traceid-parentid-flags in lower-case hexadecimal digits.
struct TraceIds {
  std::string_view trace;
  std::string_view parent;
};

bool is_id(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         text.find_first_not_of('0') != std::string_view::npos;
}

TraceIds trace_of(const RequestHead& request) noexcept {
  constexpr std::size_t kBytes = 55;
  const std::string_view field = request.fields.value(FieldName::kTraceparent);
  const bool is_of_form = field.size() >= kBytes && field[2] == '-' && field[35] == '-' &&
                          field[52] == '-' && (field.size() == kBytes || field[kBytes] == '-') &&
                          field.substr(0, 2) != "ff";
  if (!is_of_form) return {};
  const TraceIds ids{field.substr(3, 32), field.substr(36, 16)};
  return is_id(ids.trace) && is_id(ids.parent) ? ids : TraceIds{};
}

Duration connect_time(const Exchange& exchange) noexcept {
  return exchange.attempts_count == 0 ? Duration{0}
                                      : exchange.attempts[exchange.attempts_count - 1U].connect;
}

std::size_t outside_bytes(const Exchange& exchange) noexcept {
  const RequestHead& request = exchange.request;
  std::size_t bytes = exchange.request_id.size() + client_of(exchange).size() +
                      exchange.client.listener.size() + exchange.client.tls_subject.size() +
                      request.method_text.size() + request.authority.size() + request.path.size() +
                      request.query.size() + exchange.affinity.source.size();
  if (exchange.pool != nullptr) bytes += exchange.pool->name.size();
  if (exchange.replica != nullptr) bytes += exchange.replica->id.size();
  for (std::size_t i = 0; i < exchange.attempts_count; ++i) {
    bytes += exchange.attempts[i].replica->id.size();
  }
  return bytes;
}

}  // namespace

void LineFormat::put_target(const RequestHead& request) {
  line_.put_outside(request.path);
  if (query_ == Query::kHidden || request.query.empty()) return;
  line_.put("?");
  line_.put_outside(request.query);
}

void LineFormat::put_attempts(const Exchange& exchange) {
  for (std::size_t i = 0; i < exchange.attempts_count; ++i) {
    const Attempt& attempt = exchange.attempts[i];
    if (i > 0) line_.put(",");
    line_.put("\"");
    line_.put_outside(attempt.replica->id);
    if (attempt.failure != FailureCause::kNone) {
      line_.put(":");
      line_.put(name_of(attempt.failure));
    }
    line_.put("\"");
  }
}

std::string_view LineFormat::json(const Exchange& exchange, WallTime now) {
  const RequestHead& request = exchange.request;
  const Times& times = exchange.times;
  time_.clear();
  timestamp_.append_rfc3339(time_, now);
  line_.begin(kPlainBytesMax, outside_bytes(exchange));

  line_.put("{\"time\":\"");
  line_.put(time_);
  line_.put("\",\"request_id\":\"");
  line_.put_outside(exchange.request_id);
  if (const TraceIds ids = trace_of(request); !ids.trace.empty()) {
    line_.put("\",\"trace_id\":\"");
    line_.put(ids.trace);
    line_.put("\",\"parent_id\":\"");
    line_.put(ids.parent);
  }
  line_.put("\",\"client\":\"");
  line_.put_outside(client_of(exchange));
  line_.put("\",\"listener\":\"");
  line_.put_outside(exchange.client.listener);
  if (!exchange.client.tls_subject.empty()) {
    line_.put("\",\"client_certificate\":\"");
    line_.put_outside(exchange.client.tls_subject);
  }
  line_.put("\",\"protocol\":\"");
  line_.put(protocol_of(request.version));
  line_.put("\",\"method\":\"");
  line_.put_outside(request.method_text);
  line_.put("\",\"host\":\"");
  line_.put_outside(request.authority);
  line_.put("\",\"path\":\"");
  put_target(request);
  line_.put("\",\"status\":");
  line_.put_number(exchange.status);
  line_.put(",\"request_bytes\":");
  line_.put_number(exchange.request_body_bytes);
  line_.put(",\"response_bytes\":");
  line_.put_number(exchange.response_body_bytes);
  line_.put(",\"pool\":\"");
  if (exchange.pool != nullptr) line_.put_outside(exchange.pool->name);
  line_.put("\",\"replica\":\"");
  if (exchange.replica != nullptr) line_.put_outside(exchange.replica->id);
  line_.put("\",\"attempts\":[");
  put_attempts(exchange);
  line_.put("],\"affinity\":\"");
  line_.put(name_of(exchange.affinity.outcome));
  line_.put("\",\"cause\":\"");
  line_.put(name_of(exchange.affinity.cause));
  line_.put("\",\"source\":\"");
  line_.put_outside(exchange.affinity.source);
  line_.put("\",\"queue_ms\":");
  line_.put_milliseconds(times.queued);
  line_.put(",\"connect_ms\":");
  line_.put_milliseconds(connect_time(exchange));
  line_.put(",\"ttfb_ms\":");
  if (times.first_byte == kNever || times.sent == kNever) {
    line_.put("null");
  } else {
    line_.put_milliseconds(times.first_byte - times.sent);
  }
  line_.put(",\"total_ms\":");
  line_.put_milliseconds(times.done == kNever ? Duration{0} : times.done - times.started);
  line_.put(",\"ending\":\"");
  line_.put(name_of(exchange.ending));
  line_.put("\"}\n");
  return line_.line();
}

std::string_view LineFormat::combined(const Exchange& exchange, WallTime now) {
  const RequestHead& request = exchange.request;
  const std::string_view referer = request.fields.value(FieldName::kReferer);
  const std::string_view agent = request.fields.value(FieldName::kUserAgent);
  time_.clear();
  timestamp_.append_combined(time_, now);
  line_.begin(kPlainBytesMax, outside_bytes(exchange) + referer.size() + agent.size());

  const auto put_or_dash = [&](std::string_view text) {
    if (text.empty()) line_.put("-");
    line_.put_outside(text);
  };
  put_or_dash(client_of(exchange));
  line_.put(" - - [");
  line_.put(time_);
  line_.put("] \"");
  put_or_dash(request.method_text);
  line_.put(" ");
  put_target(request);
  line_.put(" ");
  line_.put(protocol_of(request.version));
  line_.put("\" ");
  line_.put_number(exchange.status);
  line_.put(" ");
  line_.put_number(exchange.response_body_bytes);
  line_.put(" \"");
  put_or_dash(referer);
  line_.put("\" \"");
  put_or_dash(agent);
  line_.put("\"\n");
  return line_.line();
}

}  // namespace limpet::access_log
