// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaSlot: one worker's connections to one replica: the idle ones, kept warm, and how many
// there are. The connection cache is the worker's set of slots (worker_room.h). Which replica is
// chosen is not decided here.

#include <cstdint>
#include <memory>
#include <utility>

#include "daemon/base/list.h"
#include "daemon/config/model.h"
#include "daemon/module/failure.h"
#include "daemon/module/replica.h"
#include "daemon/proxy/replica_connection.h"

namespace limpet {

/// One worker's side of one replica.
/// Owns: nothing but the count; its connections are the room's. Lifetime: until the worker ends;
/// reloads keep it with its Vitals.
class ReplicaSlot {
 public:
  static constexpr std::uint32_t kIdleMax = 1024;  ///< idle connections kept a replica and worker

  ReplicaSlot(WorkerRoom& room, std::shared_ptr<Vitals> vitals, const Address& address)
      : room_(room), vitals_(std::move(vitals)), address_(address) {}
  ReplicaSlot(const ReplicaSlot&) = delete;
  ReplicaSlot& operator=(const ReplicaSlot&) = delete;
  ~ReplicaSlot();

  enum class Freshness : std::uint8_t {
    kAny,      ///< an idle connection if there is one
    kChecked,  ///< the same, but the kernel is asked whether the replica has closed it: the request
               ///< cannot be sent twice
    kNew,
  };
  /// Ties a connection to `lease`: an idle one (connected: the request may be sent), or a new one
  /// (the relay hears on_leased()). Errors: the cause where not even dialling worked (kOwnLimit
  /// where limpet lacks descriptors or ports); kNone otherwise.
  [[nodiscard]] FailureCause lend(Lease& lease, Freshness freshness, Duration connect_timeout);

  // For connections.
  void keep(ReplicaConnection& connection);
  void on_opened() noexcept;
  void on_closed(ReplicaConnection& connection) noexcept;
  [[nodiscard]] bool has_room() const noexcept { return is_wanted_ && idle_count_ < kIdleMax; }
  [[nodiscard]] Duration idle_timeout() const noexcept { return idle_timeout_; }
  /// How long a replica may take nothing of what it is sent.
  [[nodiscard]] Duration stall_timeout() const noexcept { return stall_timeout_; }

  /// The settings of the present configuration; a replica that is not in it keeps no idle
  /// connections.
  void configure(const PoolTimeoutsModel& timeouts) noexcept {
    idle_timeout_ = timeouts.replica_idle;
    stall_timeout_ = timeouts.response_body;
    is_wanted_ = true;
  }
  void mark_unwanted() noexcept { is_wanted_ = false; }
  [[nodiscard]] bool is_wanted() const noexcept { return is_wanted_; }
  /// Closes the idle connections and keeps no more.
  void retire();
  void close_idle();
  [[nodiscard]] bool is_unused() const noexcept {
    return !is_wanted_ && open_count_ == 0 && in_flight_ == 0;
  }

  /// Requests of this worker on the replica.
  void count_in() noexcept { set_in_flight(in_flight_ + 1); }
  void count_out() noexcept { set_in_flight(in_flight_ - 1); }
  [[nodiscard]] Vitals& vitals() const noexcept { return *vitals_; }
  [[nodiscard]] const Address& address() const noexcept { return address_; }

 private:
  [[nodiscard]] FailureCause dial(Fd& fd);
  void take_out(ReplicaConnection& connection) noexcept;
  void set_in_flight(std::uint32_t n) noexcept;
  void publish_open() noexcept;

  WorkerRoom& room_;
  std::shared_ptr<Vitals> vitals_;
  Address address_;
  List<ReplicaConnection, ReplicaSlot> idle_;
  Duration idle_timeout_{};
  Duration stall_timeout_ = kForever;
  std::uint32_t idle_count_ = 0;
  std::uint32_t open_count_ = 0;
  std::uint32_t in_flight_ = 0;
  bool is_wanted_ = true;
};

}  // namespace limpet
