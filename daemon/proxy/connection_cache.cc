// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/connection_cache.h"

#include <cerrno>
#include <utility>

#include "daemon/net/socket.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

ReplicaSlot::~ReplicaSlot() { retire(); }

FailureCause ReplicaSlot::lend(Lease& lease, Freshness freshness, Duration connect_timeout) {
  // The one used last first: it is the least likely to be stale, and the others can grow old and go.
  while (freshness == Freshness::kAny && !idle_.is_empty()) {
    ReplicaConnection& connection = *idle_.front();
    take_out(connection);
    if (!connection.is_quiet()) {  // something arrived that nobody asked for, perhaps its end
      connection.close_idle();
      continue;
    }
    connection.lend(lease);
    return FailureCause::kNone;
  }
  int reason = 0;
  Fd fd = begin_connect(address_, reason);
  if (!fd.is_open()) {
    return reason == ECONNREFUSED || reason == ENOENT ? FailureCause::kConnectRefused : FailureCause::kConnectFailed;
  }
  auto& connection = room_.take_in(std::make_unique<ReplicaConnection>(room_, *this, std::move(fd)));
  connection.lend(lease);
  connection.start_connecting(connect_timeout);
  return FailureCause::kNone;
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
  while (!idle_.is_empty()) idle_.front()->close_idle();
}

void ReplicaSlot::set_in_flight(std::uint32_t n) noexcept {
  in_flight_ = n;
  vitals_->share(room_.index()).in_flight.store(n, std::memory_order_relaxed);
}

void ReplicaSlot::publish_open() noexcept {
  vitals_->share(room_.index()).connections.store(open_count_, std::memory_order_relaxed);
}

}  // namespace limpet
