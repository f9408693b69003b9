// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/standing.h"

namespace limpet::control {

namespace {

std::string_view health_of(const Vitals& vitals, Instant now) {
  switch (vitals.health.load(std::memory_order_relaxed)) {
    case Health::kUnproven:
      return "unproven";
    case Health::kDown:
      return "down";
    case Health::kUp:
      break;
  }
  return vitals.is_ejected(now) ? "ejected" : "up";
}

}  // namespace

ReplicaStanding standing_of(const Replica& replica, Instant now, WallSeconds wall) {
  const Vitals& vitals = *replica.vitals;
  ReplicaStanding standing;
  standing.admin = vitals.admin.load(std::memory_order_relaxed);
  standing.health = health_of(vitals, now);
  standing.is_up = standing.health == "up" && standing.admin != AdminState::kDown;
  standing.in_flight = vitals.in_flight();
  standing.sessions = vitals.live_sessions(session_bucket(wall));
  std::uint64_t latency_us = 0;
  std::uint32_t knowing = 0;
  for (std::size_t worker = 0; worker < vitals.workers(); ++worker) {
    const WorkerShare& share = vitals.share(worker);
    standing.queued += share.queued.load(std::memory_order_relaxed);
    standing.connections += share.connections.load(std::memory_order_relaxed);
    const std::uint32_t known_us = share.latency_us.load(std::memory_order_relaxed);
    latency_us += known_us;
    knowing += known_us > 0 ? 1 : 0;
  }
  if (knowing > 0) standing.latency_us = static_cast<std::uint32_t>(latency_us / knowing);
  return standing;
}

}  // namespace limpet::control
