// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/listener.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/net/socket.h"
#include "daemon/proxy/client_connection.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {
constexpr int kAcceptsPerTurn = 16;
constexpr const char* kTls13 = "TLSv1.3";
constexpr std::chrono::milliseconds kRetryAfter{100};
}  // namespace

TlsCounters::TlsCounters(MetricSet& metrics, const std::string& listener) {
  const auto handshakes = [&](const char* version, const char* is_resumed, const char* result) {
    return &metrics.counter("limpet_tls_handshakes_total", {{"listener", listener},
                                                            {"version", version},
                                                            {"resumed", is_resumed},
                                                            {"result", result}});
  };
  for (const bool is_1_3 : {false, true}) {
    const char* version = is_1_3 ? kTls13 : "TLSv1.2";
    by_kind[is_1_3 ? 1 : 0] = {handshakes(version, "no", "success"),
                               handshakes(version, "yes", "success")};
  }
  all_failed = handshakes("", "", "failure");  // what it would have become nobody knows
  for (std::size_t i = 0; i < by_cause.size(); ++i) {
    const std::string cause(word_of(static_cast<TlsFailureCause>(i)));
    by_cause[i] = &metrics.counter("limpet_tls_handshake_failures_total",
                                   {{"listener", listener}, {"cause", cause}});
  }
}

void TlsCounters::done(std::string_view version, Kind kind) noexcept {
  by_kind[version == kTls13 ? 1 : 0][kind == Kind::kFull ? 0 : 1]->add();
}

bool ListenerAtWork::trusts(const Address& peer) const {
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const Network& network) { return network.contains(peer); });
}

bool ListenerAtWork::contains(std::string_view address) const {
  const auto parsed = Address::parse_ip(address);
  return parsed && trusts(*parsed);
}

Listener::Listener(WorkerRoom& room, const ListenerAtWork& at_work, std::string bind, Fd fd)
    : room_(room),
      at_work_(&at_work),
      bind_(std::move(bind)),
      fd_(std::move(fd)),
      watch_(*this),
      timer_(*this) {}

void Listener::start() {
  if (!watch_.is_running()) watch_.start(room_.loop(), fd_.number(), Watch::Trigger::kLevelRead);
}

void Listener::on_ready(Readiness) {
  for (int accepted = 0; accepted < kAcceptsPerTurn && watch_.is_running(); ++accepted) {
    if (!accept_one()) break;
  }
  room_.after_callback();
}

void Listener::accept_rest() {
  while (room_.may_accept() && accept_one()) {
  }
}

bool Listener::accept_one() {
  Address peer;
  Fd fd = accept_connection(fd_.number(), peer);
  if (fd.is_open()) {
    room_.welcome(std::move(fd), peer, *at_work_, bind_);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    room_.counters().limit_descriptors->add();
    pause();
    timer_.arm(room_.loop().timers(), room_.loop().now() + kRetryAfter);
  }
  return errno == ECONNABORTED || errno == EINTR;
}

void Listener::on_timer(Timer&) {
  if (room_.may_accept()) start();
}

}  // namespace limpet
