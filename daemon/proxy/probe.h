// SPDX-License-Identifier: Apache-2.0
#pragma once
// Probe: the probing of one replica: waits, connects the way requests do, perhaps asks, tells the
// judge, waits as long as the judge says. Neighbours: prober.h owns one for each replica;
// probe_talk.h asks; module/probe.h judges.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/address.h"
#include "daemon/base/buffer.h"
#include "daemon/event/loop.h"
#include "daemon/event/timer.h"
#include "daemon/event/watch.h"
#include "daemon/metrics/counter.h"
#include "daemon/module/probe.h"
#include "daemon/module/replica.h"
#include "daemon/net/transport.h"
#include "daemon/proxy/probe_talk.h"
#include "daemon/proxy/replica_reach.h"

namespace limpet {

/// What a probe needs to know of its replica.
struct ProbeSubject {
  std::string pool;
  std::string replica;
  Address address;
  std::shared_ptr<Vitals> vitals;
  ReplicaReach reach;
};

/// The probing of one replica, for as long as it is configured.
///
///   kWaiting --timer--> kConnecting --> kHandshake (TLS) --> kAsking (HTTP, gRPC)
///      ^                     |               |                  |
///      +------- judged <-----+---------------+------------------+
///
/// Thread: main. Lifetime: buried, never destroyed, while a callback of it may run.
class Probe final : public Mortal, private Watch::Owner, private Timer::Owner {
 public:
  Probe(Loop& loop, MetricSet& metrics, ProbeSubject subject, std::unique_ptr<ProbeJudge> judge,
        std::function<void()> on_change);

  /// Goes on under the judge of a new configuration. What is under way is finished where the new
  /// judge asks for the same probe.
  void follow(std::unique_ptr<ProbeJudge> judge, const ReplicaReach& reach);
  /// Stops for good; to be called before it is buried.
  void stop() noexcept;
  [[nodiscard]] const ProbeSubject& subject() const noexcept { return subject_; }

 private:
  enum class Stage : std::uint8_t { kWaiting, kConnecting, kHandshake, kAsking };

  void on_ready(Readiness ready) override;
  void on_timer(Timer& timer) override;

  void begin();
  void on_connected();
  void shake_hands();
  void ask();
  void send_rest();
  void read_answer();
  void finish(ProbeResult result);
  void finish(ProbeResult::Kind kind);
  void hang_up() noexcept;
  void count(std::string_view result);

  Loop& loop_;
  MetricSet& metrics_;
  ProbeSubject subject_;
  std::unique_ptr<ProbeJudge> judge_;
  std::function<void()> on_change_;
  Stage stage_ = Stage::kWaiting;
  Instant begun_at_{};
  Transport transport_;
  Watch watch_;
  Timer timer_;
  ProbeTalk talk_;
  Buffer out_;
};

}  // namespace limpet
