// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/probe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "daemon/http/proxy_header.h"
#include "daemon/net/socket.h"

namespace limpet {

namespace {

constexpr std::size_t kReadBytes = 16384;
// A judge that errs must not make a storm.
constexpr Duration kShortestPause = std::chrono::milliseconds(20);

// What of a replica's health others act upon.
struct Stand {
  Health health;
  bool is_ejected;
  friend bool operator==(const Stand&, const Stand&) = default;
};

Stand stand_of(const Vitals& vitals, Instant now) noexcept {
  return {vitals.health.load(std::memory_order_relaxed), vitals.is_ejected(now)};
}

}  // namespace

Probe::Probe(Loop& loop, MetricSet& metrics, ProbeSubject subject,
             std::unique_ptr<ProbeJudge> judge, std::function<void()> on_change)
    : loop_(loop),
      metrics_(metrics),
      subject_(std::move(subject)),
      judge_(std::move(judge)),
      on_change_(std::move(on_change)),
      watch_(*this),
      timer_(*this) {
  timer_.arm(loop_.timers(), deadline_after(monotonic_now(), judge_->first_delay()));
}

void Probe::follow(std::unique_ptr<ProbeJudge> judge, const ReplicaReach& reach) {
  const bool is_same_probe = judge->spec() == judge_->spec() &&
                             reach.protocol == subject_.reach.protocol &&
                             (reach.tls == nullptr) == (subject_.reach.tls == nullptr);
  subject_.reach = reach;
  const bool is_same_rhythm = judge->continues(*judge_);
  judge_ = std::move(judge);
  if (stage_ != Stage::kWaiting && is_same_probe) return;
  if (stage_ == Stage::kWaiting && is_same_rhythm) return;
  const bool was_waiting = stage_ == Stage::kWaiting;
  hang_up();
  const Instant due = deadline_after(monotonic_now(), judge_->first_delay());
  timer_.arm(loop_.timers(), was_waiting ? std::min(due, timer_.deadline()) : due);
}

void Probe::stop() noexcept {
  hang_up();
  timer_.disarm();
  on_change_ = nullptr;
}

void Probe::on_timer(Timer&) {
  if (stage_ == Stage::kWaiting) return begin();
  finish(ProbeResult::Kind::kTimeout);
}

void Probe::begin() {
  begun_at_ = monotonic_now();
  stage_ = Stage::kConnecting;
  int reason = 0;
  transport_ = Transport(begin_connect(subject_.address, reason));
  if (!transport_.is_open()) {
    const bool is_refused = reason == ECONNREFUSED || reason == ENOENT;  // ENOENT: no such socket
    return finish(is_refused ? ProbeResult::Kind::kRefused : ProbeResult::Kind::kBroken);
  }
  timer_.arm(loop_.timers(), deadline_after(begun_at_, judge_->spec().timeout));
  watch_.start(loop_, transport_.descriptor(), Watch::Trigger::kEdgeBoth);
}

void Probe::on_ready(Readiness ready) {
  if (stage_ == Stage::kConnecting && (ready.is_writable() || ready.is_ending()))
    return on_connected();
  if (stage_ == Stage::kHandshake) return shake_hands();
  if (stage_ != Stage::kAsking) return;
  if (ready.is_writable()) send_rest();
  if (stage_ == Stage::kAsking && (ready.is_readable() || ready.is_ending())) read_answer();
}

void Probe::on_connected() {
  const int reason = connect_result(transport_.descriptor());
  if (reason == ECONNREFUSED) return finish(ProbeResult::Kind::kRefused);
  if (reason != 0) return finish(ProbeResult::Kind::kBroken);
  if (judge_->spec().type == ProbeSpec::Type::kTcp) return finish(ProbeResult::Kind::kConnected);
  append_proxy_header(out_, subject_.reach.proxy_header, Address(), subject_.address);
  if (subject_.reach.tls == nullptr) return ask();
  if (!out_.is_empty()) send_rest();
  if (stage_ != Stage::kConnecting) return;
  stage_ = Stage::kHandshake;
  transport_.start_tls(TlsSession::connect(subject_.reach.tls, transport_.descriptor(),
                                           {subject_.address.print_host(), nullptr}));
  shake_hands();
}

void Probe::shake_hands() {
  switch (transport_.handshake()) {
    case TlsSession::Progress::kDone:
      return ask();
    case TlsSession::Progress::kFailed:
      return finish(ProbeResult::Kind::kBroken);
    case TlsSession::Progress::kWantsRead:
    case TlsSession::Progress::kWantsWrite:
      return;
  }
}

void Probe::ask() {
  stage_ = Stage::kAsking;
  const ProbeSpec& spec = judge_->spec();
  const bool is_http2 = transport_.is_secure()
                            ? transport_.tls()->alpn() == Alpn::kHttp2
                            : subject_.reach.protocol == ReplicaProtocol::kHttp2 ||
                                  spec.type == ProbeSpec::Type::kGrpc;
  const std::string own_name =
      subject_.address.is_unix() ? std::string("localhost") : subject_.address.print();
  talk_.ask(spec, is_http2 ? ProbeTalk::Version::kHttp2 : ProbeTalk::Version::kHttp1, own_name,
            transport_.is_secure() ? "https" : "http", out_);
  send_rest();
  if (stage_ == Stage::kAsking) read_answer();  // the edge may have come with the connection
}

void Probe::send_rest() {
  while (!out_.is_empty() || transport_.has_pending_output()) {
    const std::string_view bytes = out_.view();
    std::array<iovec, 1> piece = {iovec{const_cast<char*>(bytes.data()), bytes.size()}};
    const Moved moved = bytes.empty() ? transport_.flush_pending() : transport_.write(piece);
    if (moved.how == Moved::How::kBlocked) return;
    if (moved.how != Moved::How::kSome) return finish(ProbeResult::Kind::kBroken);
    if (!bytes.empty()) out_.consume(moved.bytes);
  }
}

void Probe::read_answer() {
  std::array<char, kReadBytes> bytes;
  while (stage_ == Stage::kAsking) {
    const Moved moved = transport_.read(bytes);
    if (moved.how == Moved::How::kBlocked) return;
    if (moved.how != Moved::How::kSome) return finish(ProbeResult::Kind::kBroken);
    const auto result = talk_.read({bytes.data(), moved.bytes}, monotonic_now(), out_);
    if (result) return finish(*result);
    send_rest();
  }
}

void Probe::finish(ProbeResult::Kind kind) {
  ProbeResult result;
  result.kind = kind;
  finish(result);
}

void Probe::finish(ProbeResult result) {
  const Instant now = monotonic_now();
  result.took = now - begun_at_;
  const Stand before = stand_of(*subject_.vitals, now);
  const Duration pause = judge_->on_result(result, now, loop_.wall_now());
  count(judge_->is_success(result) ? "success" : "failure");
  hang_up();
  timer_.arm(loop_.timers(), deadline_after(now, std::max(pause, kShortestPause)));
  if (on_change_ && stand_of(*subject_.vitals, now) != before) on_change_();
}

void Probe::hang_up() noexcept {
  watch_.stop();
  transport_.close();
  transport_ = Transport();
  out_.clear();
  talk_.forget();
  stage_ = Stage::kWaiting;
}

void Probe::count(std::string_view result) {
  metrics_
      .counter(
          "limpet_health_checks_total",
          {{"pool", subject_.pool}, {"replica", subject_.replica}, {"result", std::string(result)}})
      .add();
}

}  // namespace limpet
