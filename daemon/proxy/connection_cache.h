// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaSlot: one worker's connections to one replica: the idle ones of HTTP/1, kept warm, the
// shared ones of HTTP/2, those being dialled, and how many there are. The connection cache is the
// worker's set of slots (worker_room.h). Which replica is chosen is not decided here.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "daemon/base/list.h"
#include "daemon/config/model.h"
#include "daemon/http/proxy_header.h"
#include "daemon/module/failure.h"
#include "daemon/module/replica.h"
#include "daemon/net/tls_failure.h"
#include "daemon/proxy/dialler.h"
#include "daemon/proxy/http2_replica.h"
#include "daemon/proxy/replica_connection.h"
#include "daemon/proxy/replica_reach.h"

namespace limpet {

/// What a holder asks for.
struct LendWish {
  enum class Freshness : std::uint8_t {
    kAny,      ///< an idle connection if there is one
    kChecked,  ///< the same, but the kernel is asked whether the replica has closed it: the request
               ///< cannot be sent twice
    kNew,      ///< no connection of HTTP/1 that carried an exchange already
  };
  Freshness freshness = Freshness::kAny;
  Duration connect_timeout{};
  const Address* client = nullptr;  ///< for a PROXY header; null: limpet's own request
};

/// What a holder was given.
struct Lent {
  FailureCause cause = FailureCause::kNone;  ///< why there is nothing
  bool is_connected = false;  ///< the request may be sent; otherwise the holder hears on_leased()
  bool is_reused = false;     ///< the connection has carried an exchange before: it may be stale
};

/// One worker's side of one replica.
/// Owns: nothing but the count; its connections are the room's. Lifetime: until the worker ends;
/// reloads keep it with its Vitals.
class ReplicaSlot {
 public:
  static constexpr std::uint32_t kIdleMax = 1024;  ///< idle connections kept a replica and worker

  ReplicaSlot(WorkerRoom& room, std::shared_ptr<Vitals> vitals, const Address& address);
  ReplicaSlot(const ReplicaSlot&) = delete;
  ReplicaSlot& operator=(const ReplicaSlot&) = delete;
  ~ReplicaSlot();

  /// Ties a stream to `lease`: of an idle or a shared connection (connected: the request may be
  /// sent), or a place in the dial of a new one (the holder hears on_leased()). Errors: the cause
  /// where not even dialling worked (kOwnLimit where limpet lacks descriptors or ports).
  [[nodiscard]] Lent lend(Lease& lease, LendWish wish) {
    if (is_direct() && lend_idle(lease, wish.freshness)) [[likely]]
      return {.is_connected = true, .is_reused = true};
    return lend_other(lease, wish);
  }
  /// The same for one who had a place in a dial; the holder is told either way.
  void lend_again(Lease& lease);

  // For connections and diallers.
  void keep(ReplicaConnection& connection);
  void share(Http2Replica& connection) { shared_.push_front(connection); }
  void forget(Http2Replica& connection) noexcept;
  void on_opened() noexcept;
  void on_closed() noexcept;
  void on_closed(ReplicaConnection& connection) noexcept;
  void on_dialling(Dialler& dialler) noexcept;
  void on_dialled(Dialler& dialler) noexcept;
  /// What the replica turned out to speak, where the pool leaves it open.
  void learn(ReplicaProtocol spoken) noexcept { spoken_ = spoken; }
  /// Counts the ways in which the replica was reached; a connection that was made on an earlier
  /// one is not kept.
  [[nodiscard]] std::uint32_t way() const noexcept { return way_; }
  [[nodiscard]] bool keeps_connections_of(std::uint32_t way) const noexcept {
    return is_wanted_ && way == way_ && idle_count_ < kIdleMax &&
           reach_.proxy_header == ProxyVersion::kNone;
  }
  [[nodiscard]] Duration idle_timeout() const noexcept { return idle_timeout_; }
  /// How long a replica may take nothing of what it is sent.
  [[nodiscard]] Duration stall_timeout() const noexcept { return stall_timeout_; }
  [[nodiscard]] const ReplicaReach& reach() const noexcept { return reach_; }
  /// Its name for TLS: the host part of its address.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  [[nodiscard]] const std::shared_ptr<TlsSessionTicket>& session_ticket() const noexcept {
    return session_ticket_;
  }
  [[nodiscard]] TlsFailureLog& tls_failures() noexcept { return tls_failures_; }

  /// The settings of the present configuration; a replica that is not in it keeps no idle
  /// connections. Another way to reach it retires the connections of the old one.
  void configure(const PoolTimeoutsModel& timeouts, const ReplicaReach& reach);
  void mark_unwanted() noexcept { is_wanted_ = false; }
  [[nodiscard]] bool is_wanted() const noexcept { return is_wanted_; }
  /// Closes the idle connections and keeps no more.
  void retire();
  void close_idle();
  [[nodiscard]] bool is_unused() const noexcept {
    return !is_wanted_ && open_count_ == 0 && dialling_count_ == 0 && in_flight_ == 0;
  }

  /// Requests of this worker on the replica.
  void count_in() noexcept { set_in_flight(in_flight_ + 1); }
  void count_out() noexcept { set_in_flight(in_flight_ - 1); }
  [[nodiscard]] Vitals& vitals() const noexcept { return *vitals_; }
  [[nodiscard]] const Address& address() const noexcept { return address_; }

 private:
  /// The one used last first: it is the least likely to be stale, and the others can grow old and
  /// go.
  [[nodiscard]] bool lend_idle(Lease& lease, LendWish::Freshness freshness) {
    while (freshness != LendWish::Freshness::kNew && !idle_.is_empty()) {
      ReplicaConnection& connection = *idle_.front();
      take_out(connection);
      if (connection.is_quiet() &&
          (freshness != LendWish::Freshness::kChecked || connection.is_silent())) [[likely]] {
        connection.lend(lease);
        return true;
      }
      connection.close_idle();  // something arrived that nobody asked for, perhaps its end
    }
    return false;
  }
  [[nodiscard]] Lent lend_other(Lease& lease, LendWish wish);
  [[nodiscard]] bool lend_shared(Lease& lease);
  [[nodiscard]] FailureCause dial_plain(Lease& lease, const LendWish& wish);
  [[nodiscard]] FailureCause dial(Lease& lease, const LendWish& wish);
  [[nodiscard]] FailureCause begin_dial(Fd& fd);
  void put_proxy_header(Buffer& out, const LendWish& wish) const;
  [[nodiscard]] bool is_direct() const noexcept {
    return reach_.tls == nullptr && reach_.protocol != ReplicaProtocol::kHttp2;
  }
  [[nodiscard]] bool may_share() const noexcept;
  void take_out(ReplicaConnection& connection) noexcept {
    ListNode<ReplicaConnection, ReplicaSlot>& node = connection;
    if (!node.is_linked()) return;
    node.unlink();
    --idle_count_;
  }
  void set_in_flight(std::uint32_t n) noexcept;
  void publish_open() noexcept;

  WorkerRoom& room_;
  std::shared_ptr<Vitals> vitals_;
  Address address_;
  std::string host_;
  ReplicaReach reach_;
  List<ReplicaConnection, ReplicaSlot> idle_;
  List<Http2Replica, ReplicaSlot> shared_;
  Dialler* shared_dialler_ = nullptr;  ///< whose connection will be shared
  std::shared_ptr<TlsSessionTicket> session_ticket_;
  TlsFailureLog tls_failures_;
  Duration idle_timeout_{};
  Duration stall_timeout_ = kForever;
  Duration connect_timeout_{};
  ReplicaProtocol spoken_ = ReplicaProtocol::kAuto;  ///< kAuto: not known yet
  std::uint32_t idle_count_ = 0;
  std::uint32_t open_count_ = 0;
  std::uint32_t dialling_count_ = 0;
  std::uint32_t in_flight_ = 0;
  std::uint32_t way_ = 0;
  bool is_wanted_ = true;
};

}  // namespace limpet
