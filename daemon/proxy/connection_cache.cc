// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/connection_cache.h"

#include <cerrno>
#include <utility>

#include "daemon/net/socket.h"
#include "daemon/net/transport.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

bool is_same_way(const ReplicaReach& one, const ReplicaReach& other) noexcept {
  if (one.protocol != other.protocol || one.proxy_header != other.proxy_header) return false;
  if (one.tls == nullptr || other.tls == nullptr) return one.tls == other.tls;
  return one.tls->is_like(*other.tls);
}

}  // namespace

ReplicaSlot::ReplicaSlot(WorkerRoom& room, std::shared_ptr<Vitals> vitals, const Address& address)
    : room_(room),
      vitals_(std::move(vitals)),
      address_(address),
      host_(address.is_unix() ? std::string("localhost") : address.print_host()) {}

ReplicaSlot::~ReplicaSlot() { retire(); }

// Lending
// --------------------------------------------------------------------------------------------------------

// What lend() does not do itself: it has looked for a direct replica's idle connection already.
Lent ReplicaSlot::lend_other(Lease& lease, LendWish wish) {
  if (is_direct()) return {.cause = dial_plain(lease, wish)};
  if ((may_share() && lend_shared(lease)) || lend_idle(lease, wish.freshness)) {
    const ReplicaStream& stream = *lease.stream();
    return {.is_connected = stream.is_connected(), .is_reused = stream.is_reused()};
  }
  return {.cause = dial(lease, wish)};
}

void ReplicaSlot::lend_again(Lease& lease) {
  const Lent lent = lend(lease, {LendWish::Freshness::kChecked, connect_timeout_, nullptr});
  if (lent.cause != FailureCause::kNone) {
    lease.holder().on_attempt_failed(lent.cause);
  } else if (lent.is_connected) {
    lease.holder().on_leased();
  }
}

bool ReplicaSlot::may_share() const noexcept {
  return reach_.protocol != ReplicaProtocol::kHttp1 && spoken_ != ReplicaProtocol::kHttp1 &&
         reach_.proxy_header == ProxyVersion::kNone;
}

bool ReplicaSlot::lend_shared(Lease& lease) {
  for (Http2Replica* at = shared_.front(); at != nullptr; at = shared_.after(*at)) {
    if (!at->has_room()) continue;
    at->open(lease);
    return true;
  }
  if (shared_dialler_ == nullptr) return false;
  shared_dialler_->join(lease);
  return true;
}

FailureCause ReplicaSlot::dial_plain(Lease& lease, const LendWish& wish) {
  Fd fd;
  if (const FailureCause cause = begin_dial(fd); cause != FailureCause::kNone) return cause;
  auto& connection = room_.take_in(std::make_unique<ReplicaConnection>(
      room_, *this, Transport(std::move(fd)), ReplicaConnection::Stage::kConnecting, way_));
  if (reach_.proxy_header != ProxyVersion::kNone) {
    Buffer header;
    put_proxy_header(header, wish);
    connection.send_preamble(header.view());
  }
  connection.lend(lease);
  connection.start_connecting(wish.connect_timeout);
  return FailureCause::kNone;
}

FailureCause ReplicaSlot::dial(Lease& lease, const LendWish& wish) {
  Fd fd;
  if (const FailureCause cause = begin_dial(fd); cause != FailureCause::kNone) return cause;
  keep_alive(fd.number());  // beside a handshake or for many requests, what it costs is nothing
  connect_timeout_ = wish.connect_timeout;
  const auto sharing = may_share() ? Dialler::Sharing::kShared : Dialler::Sharing::kPrivate;
  auto& dialler = room_.take_in(std::make_unique<Dialler>(room_, *this, std::move(fd), sharing));
  if (reach_.proxy_header != ProxyVersion::kNone) {
    Buffer header;
    put_proxy_header(header, wish);
    dialler.send_first(header.view());
  }
  if (sharing == Dialler::Sharing::kShared) shared_dialler_ = &dialler;
  dialler.join(lease);
  dialler.start(wish.connect_timeout);
  return FailureCause::kNone;
}

void ReplicaSlot::put_proxy_header(Buffer& out, const LendWish& wish) const {
  append_proxy_header(out, reach_.proxy_header, wish.client == nullptr ? Address() : *wish.client,
                      address_);
}

FailureCause ReplicaSlot::begin_dial(Fd& fd) {
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

// Keeping
// --------------------------------------------------------------------------------------------------------

void ReplicaSlot::keep(ReplicaConnection& connection) {
  idle_.push_front(connection);
  ++idle_count_;
}

void ReplicaSlot::forget(Http2Replica& connection) noexcept {
  ListNode<Http2Replica, ReplicaSlot>& node = connection;
  node.unlink();
}

void ReplicaSlot::on_opened() noexcept {
  ++open_count_;
  publish_open();
}

void ReplicaSlot::on_closed() noexcept {
  --open_count_;
  publish_open();
}

void ReplicaSlot::on_closed(ReplicaConnection& connection) noexcept {
  take_out(connection);
  on_closed();
}

void ReplicaSlot::on_dialling(Dialler&) noexcept { ++dialling_count_; }

void ReplicaSlot::on_dialled(Dialler& dialler) noexcept {
  --dialling_count_;
  if (shared_dialler_ == &dialler) shared_dialler_ = nullptr;
}

void ReplicaSlot::configure(const PoolTimeoutsModel& timeouts, const ReplicaReach& reach) {
  idle_timeout_ = timeouts.replica_idle;
  stall_timeout_ = timeouts.response_body;
  is_wanted_ = true;
  if (!is_same_way(reach, reach_)) {
    ++way_;
    close_idle();
    spoken_ = ReplicaProtocol::kAuto;
  }
  reach_ = reach;
  if (reach_.tls != nullptr && session_ticket_ == nullptr)
    session_ticket_ = std::make_shared<TlsSessionTicket>();
}

void ReplicaSlot::retire() {
  is_wanted_ = false;
  close_idle();
}

void ReplicaSlot::close_idle() {
  while (!idle_.is_empty())
    idle_.front()->close_idle();
  while (Http2Replica* connection = shared_.front())
    connection->leave();
}

void ReplicaSlot::set_in_flight(std::uint32_t n) noexcept {
  in_flight_ = n;
  vitals_->share(room_.index()).in_flight.store(n, std::memory_order_relaxed);
}

void ReplicaSlot::publish_open() noexcept {
  vitals_->share(room_.index()).connections.store(open_count_, std::memory_order_relaxed);
}

}  // namespace limpet
