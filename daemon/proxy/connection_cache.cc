// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/connection_cache.h"

#include <cerrno>
#include <utility>

#include "daemon/net/socket.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

ReplicaSlot::~ReplicaSlot() { retire(); }

FailureCause ReplicaSlot::lend(Lease& lease, Freshness freshness, Duration connect_timeout) {
  // The one used last first: it is the least likely to be stale, and the others can grow old and
  // go.
  while (freshness != Freshness::kNew && !idle_.is_empty()) {
    ReplicaConnection& connection = *idle_.front();
    take_out(connection);
    const bool is_dead =
        !connection.is_quiet() || (freshness == Freshness::kChecked && !connection.is_silent());
    if (is_dead) {  // something arrived that nobody asked for, perhaps its end
      connection.close_idle();
      continue;
    }
    connection.lend(lease);
    return FailureCause::kNone;
  }
  Fd fd;
  if (const FailureCause cause = dial(fd); cause != FailureCause::kNone) return cause;
  auto& connection =
      room_.take_in(std::make_unique<ReplicaConnection>(room_, *this, std::move(fd)));
  connection.lend(lease);
  connection.start_connecting(connect_timeout);
  return FailureCause::kNone;
}

FailureCause ReplicaSlot::dial(Fd& fd) {
  const auto is_own_limit = [](int reason) {
    return reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM ||
           reason == EADDRNOTAVAIL;
  };
  int reason = 0;
  fd = begin_connect(address_, reason);
  if (!fd.is_open() && is_own_limit(reason)) {
    // What is kept for later goes before what is wanted now fails.
    room_.counters().limit_descriptors->add();
    room_.close_idle_replicas();
    fd = begin_connect(address_, reason);
  }
  if (fd.is_open()) return FailureCause::kNone;
  if (is_own_limit(reason)) return FailureCause::kOwnLimit;
  return reason == ECONNREFUSED || reason == ENOENT ? FailureCause::kConnectRefused
                                                    : FailureCause::kConnectFailed;
}

void ReplicaSlot::keep(ReplicaConnection& connection) {
  idle_.push_front(connection);
  ++idle_count_;
}

void ReplicaSlot::take_out(ReplicaConnection& connection) noexcept {
  ListNode<ReplicaConnection, ReplicaSlot>& node = connection;
  if (!node.is_linked()) return;
  node.unlink();
  --idle_count_;
}

void ReplicaSlot::on_opened() noexcept {
  ++open_count_;
  publish_open();
}

void ReplicaSlot::on_closed(ReplicaConnection& connection) noexcept {
  take_out(connection);
  --open_count_;
  publish_open();
}

void ReplicaSlot::retire() {
  is_wanted_ = false;
  close_idle();
}

void ReplicaSlot::close_idle() {
  while (!idle_.is_empty())
    idle_.front()->close_idle();
}

void ReplicaSlot::set_in_flight(std::uint32_t n) noexcept {
  in_flight_ = n;
  vitals_->share(room_.index()).in_flight.store(n, std::memory_order_relaxed);
}

void ReplicaSlot::publish_open() noexcept {
  vitals_->share(room_.index()).connections.store(open_count_, std::memory_order_relaxed);
}

}  // namespace limpet
