// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/catalogue.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr MetricKind kCounter = MetricKind::kCounter;
constexpr MetricKind kGauge = MetricKind::kGauge;
constexpr MetricKind kHistogram = MetricKind::kHistogram;

// clang-format off
constexpr MetricEntry kEntries[] = {
    {"limpet_access_log_dropped_total", kCounter, "",
     "Lines of the access log that were dropped because they could not be written in time"},
    {"limpet_affinity_total", kCounter, "pool,outcome,cause",
     "Requests by what affinity did with them and why it was not simply a hit"},
    {"limpet_bad_requests_total", kCounter, "status",
     "Requests that were refused because they break the rules of HTTP, by the status sent"},
    {"limpet_build_info", kGauge, "version",
     "Always 1; the version is in the label"},
    {"limpet_cert_expiry_timestamp_seconds", kGauge, "name",
     "When the certificate expires, in seconds since 1970; the label is its file"},
    {"limpet_config_last_reload_successful", kGauge, "",
     "Whether the last reload was taken up: 1 yes, 0 no"},
    {"limpet_config_last_reload_timestamp_seconds", kGauge, "",
     "When the present configuration was taken up"},
    {"limpet_config_reloads_total", kCounter, "result",
     "Reloads by result: success or failure"},
    {"limpet_config_revision", kGauge, "",
     "Which configuration of this process is at work, counted from 1"},
    {"limpet_config_revision_info", kGauge, "revision,file",
     "Always 1; which configuration is at work and its file are in the labels"},
    {"limpet_connections", kGauge, "listener,proto",
     "Client connections that are open"},
    {"limpet_connections_total", kCounter, "listener,proto",
     "Client connections that were accepted"},
    {"limpet_core_busy_ratio", kGauge, "core",
     "Share of its time that a worker, one for each core, spent working, 0 to 1"},
    {"limpet_h2_violations_total", kCounter, "kind,mode",
     "Times that an HTTP/2 client exceeded one of limits.http2_floods, by its name and the mode"},
    {"limpet_health_checks_total", kCounter, "pool,replica,result",
     "Health probes by result: success or failure"},
    {"limpet_http2_goaways_total", kCounter, "side,direction",
     "GOAWAY frames by side (client or replica) and direction (sent or received)"},
    {"limpet_http2_streams", kGauge, "side",
     "HTTP/2 streams that are open, by side: client or replica"},
    {"limpet_limits_total", kCounter, "kind",
     "Requests and connections that ran into a limit"},
    {"limpet_mcp_carry_overs_total", kCounter, "pool,replica,result",
     "Sessions of MCP that needed another replica, by the one they were on and by what became of it: "
     "carried, or why not"},
    {"limpet_mcp_clients_total", kCounter, "pool,client,era",
     "Times that a client of MCP introduced itself, by the name of the program and its era: session, "
     "modern or legacy"},
    {"limpet_mcp_doubts_total", kCounter, "pool,replica,result",
     "Pings that asked a replica which owed an answer whether the session lives: alive, lost or "
     "silent"},
    {"limpet_mcp_keep_alives_total", kCounter, "pool,replica",
     "Comments put into idle event streams of MCP"},
    {"limpet_mcp_listen_dropped_total", kCounter, "pool,cause",
     "Notices that did not reach the client of a subscriptions/listen stream: unreadable, unwanted or "
     "slow-client"},
    {"limpet_mcp_redis_commands_total", kCounter, "pool,result",
     "Commands to the shared store by result: success or failure"},
    {"limpet_mcp_redis_connects_total", kCounter, "pool",
     "Connections to the shared store that were made"},
    {"limpet_mcp_redis_links", kGauge, "pool",
     "Workers that are connected to the shared store; 0 where it is down"},
    {"limpet_mcp_requests_total", kCounter, "pool,replica,era",
     "Requests of MCP by the era that they are of: session, modern or legacy"},
    {"limpet_mcp_sessions", kGauge, "pool,replica",
     "Sessions of MCP that live on the replica, as far as they are remembered"},
    {"limpet_mcp_sessions_ended_total", kCounter, "pool,replica,cause",
     "Sessions of MCP that ended: deleted by their client, reaped since nobody used them, or closed "
     "with their stream (legacy)"},
    {"limpet_mcp_sessions_lost_total", kCounter, "pool,replica,cause",
     "Requests whose session was lost to its replica: gone, denied or draining"},
    {"limpet_mcp_sessions_started_total", kCounter, "pool,replica",
     "Sessions of MCP that were opened on the replica by clients"},
    {"limpet_mcp_stale_ids_total", kCounter, "pool",
     "Requests with the id of a session that is not to be had any more, answered 404"},
    {"limpet_mcp_store", kGauge, "pool,kind",
     "What is remembered of sessions: records, bytes, tombstones, and how many records made room"},
    {"limpet_mcp_streams", kGauge, "pool,replica",
     "Event streams of MCP that are open"},
    {"limpet_mcp_tasks", kGauge, "pool,kind",
     "The table of tasks: entries, how many were evicted to make room, and its bound"},
    {"limpet_mcp_tool_call_seconds", kHistogram, "pool,tool",
     "Time of tool calls that were answered, by tool"},
    {"limpet_mcp_unanswered_calls_total", kCounter, "pool",
     "Calls answered with an error since their replica was lost and they may have run"},
    {"limpet_pool_queue", kGauge, "pool", "Requests that wait for a replica of the pool"},
    {"limpet_proxy_protocol_errors_total", kCounter, "listener",
     "Connections closed because the PROXY header was missing, wrong or late"},
    {"limpet_redials_total", kCounter, "",
     "Requests sent once more because a kept connection had been closed by the replica"},
    {"limpet_replica_connections", kGauge, "pool,replica",
     "Connections to the replica that are open"},
    {"limpet_replica_ejections_total", kCounter, "pool,replica,reason",
     "Times that the replica was ejected because of failures in live traffic"},
    {"limpet_replica_inflight", kGauge, "pool,replica",
     "Requests that the replica is working on"},
    {"limpet_replica_queue", kGauge, "pool,replica",
     "Requests that wait for the replica"},
    {"limpet_replica_requests_total", kCounter, "pool,replica,code_class",
     "Attempts on the replica by class of the status, or failed"},
    {"limpet_replica_sessions", kGauge, "pool,replica",
     "Live sessions of the replica"},
    {"limpet_replica_state", kGauge, "pool,replica,state",
     "1 for the state the replica is in, 0 for the others"},
    {"limpet_replica_ttfb_seconds", kHistogram, "pool",
     "Time from the request sent to the head of the replica's response"},
    {"limpet_replica_up", kGauge, "pool,replica",
     "Whether the replica takes requests: 1 yes, 0 no"},
    {"limpet_request_bytes_total", kCounter, "pool",
     "Bytes of request bodies"},
    {"limpet_request_duration_seconds", kHistogram, "pool",
     "Time from the end of the request head to the end of the response"},
    {"limpet_requests_total", kCounter, "pool,code_class,affinity",
     "Requests by class of the status and by what affinity did"},
    {"limpet_response_bytes_total", kCounter, "pool",
     "Bytes of response bodies"},
    {"limpet_retries_total", kCounter, "pool,result",
     "Further attempts after a failed one, by result: success or failure"},
    {"limpet_retry_budget_exhausted_total", kCounter, "pool",
     "Retries that were not made because too many were running"},
    {"limpet_timeouts_total", kCounter, "kind",
     "Timeouts by the name of the setting"},
    {"limpet_tls_handshake_failures_total", kCounter, "listener,cause",
     "TLS handshakes with clients that failed, by cause"},
    {"limpet_tls_handshakes_total", kCounter, "listener,version,resumed,result",
     "TLS handshakes with clients by version, whether a session was resumed, and result: success or "
     "failure"},
};
// clang-format on

static_assert(std::is_sorted(std::begin(kEntries), std::end(kEntries),
                             [](const MetricEntry& a, const MetricEntry& b) {
                               return a.name < b.name;
                             }),
              "find_metric() looks by halving");

}  // namespace

std::span<const MetricEntry> metric_catalogue() noexcept { return kEntries; }

const MetricEntry* find_metric(std::string_view name) noexcept {
  const auto* found = std::lower_bound(
      std::begin(kEntries), std::end(kEntries), name,
      [](const MetricEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != std::end(kEntries) && found->name == name ? found : nullptr;
}

}  // namespace limpet
