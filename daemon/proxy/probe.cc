// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/probe.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <sys/socket.h>

#include "daemon/net/socket.h"

namespace limpet {

namespace {

constexpr std::size_t kReadBytes = 4096;
// A judge that errs must not make a storm.
constexpr Duration kShortestPause = std::chrono::milliseconds(20);

bool is_same(const ProbeSpec& a, const ProbeSpec& b) noexcept {
  return a.type == b.type && a.path == b.path && a.host == b.host && a.timeout == b.timeout;
}

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
      timer_(*this),
      codec_(CodecRole::kClient, limits_) {
  timer_.arm(loop_.timers(), deadline_after(monotonic_now(), judge_->first_delay()));
}

void Probe::follow(std::unique_ptr<ProbeJudge> judge) {
  const bool is_same_probe = is_same(judge->spec(), judge_->spec());
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
  fd_ = begin_connect(subject_.address, reason);
  if (!fd_.is_open()) {
    const bool is_refused = reason == ECONNREFUSED || reason == ENOENT;  // ENOENT: no such socket
    return finish(is_refused ? ProbeResult::Kind::kRefused : ProbeResult::Kind::kBroken);
  }
  timer_.arm(loop_.timers(), deadline_after(begun_at_, judge_->spec().timeout));
  watch_.start(loop_, fd_.number(), Watch::Trigger::kEdgeBoth);
}

void Probe::on_ready(Readiness ready) {
  if (stage_ == Stage::kConnecting && (ready.is_writable || ready.is_ending)) return on_connected();
  if (stage_ != Stage::kAsking) return;
  if (ready.is_writable && !out_.is_empty()) send_rest();
  if (stage_ == Stage::kAsking && (ready.is_readable || ready.is_ending)) read_answer();
}

void Probe::on_connected() {
  const int reason = connect_result(fd_.number());
  if (reason == ECONNREFUSED) return finish(ProbeResult::Kind::kRefused);
  if (reason != 0) return finish(ProbeResult::Kind::kBroken);
  if (judge_->spec().type == ProbeSpec::Type::kTcp) return finish(ProbeResult::Kind::kConnected);
  ask();
}

void Probe::ask() {
  stage_ = Stage::kAsking;
  const ProbeSpec& spec = judge_->spec();
  codec_ = Http1Codec(CodecRole::kClient, limits_);
  codec_.close_after_this();
  RequestHead head(arena_);
  head.method = Method::kGet;
  head.method_text = "GET";
  head.target = arena_.copy(spec.path);
  const std::string own_name =
      subject_.address.is_unix() ? std::string("localhost") : subject_.address.print();
  head.fields.add(FieldName::kHost, arena_.copy(spec.host.empty() ? own_name : spec.host));
  head.fields.add(FieldName::kUserAgent, "limpet-probe");
  head.fields.add(FieldName::kAccept, "*/*");
  codec_.write_request_head(head, out_);
  codec_.write_end(nullptr, out_);
  send_rest();
  if (stage_ == Stage::kAsking) read_answer();  // the edge may have come with the connection
}

void Probe::send_rest() {
  while (!out_.is_empty()) {
    const std::string_view bytes = out_.view();
    const ssize_t sent = ::send(fd_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      out_.consume(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      return finish(ProbeResult::Kind::kBroken);
    }
  }
}

// Reads until the head is there; the body is of no interest. Limits of the codec bound the head.
void Probe::read_answer() {
  while (stage_ == Stage::kAsking) {
    const ssize_t got = ::recv(fd_.number(), in_.reserve(kReadBytes), kReadBytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return finish(ProbeResult::Kind::kBroken);
    in_.commit(static_cast<std::size_t>(got));
    events_.clear();
    const std::size_t used = codec_.feed(in_.view(), *this, events_);
    for (const StreamEvent& event : events_) {
      take(event);
      if (stage_ != Stage::kAsking) return;
    }
    in_.consume(used);
  }
}

void Probe::take(const StreamEvent& event) {
  if (event.kind == StreamEvent::Kind::kFault) return finish(ProbeResult::Kind::kBroken);
  if (event.kind != StreamEvent::Kind::kResponseHead) return;
  ProbeResult result;
  result.kind = ProbeResult::Kind::kAnswered;
  result.status = event.response->status;
  result.incarnation = event.response->fields.value(FieldName::kLimpetIncarnation);
  finish(result);
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
  fd_.reset();
  in_.clear();
  out_.clear();
  events_.clear();
  arena_.reset();
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
