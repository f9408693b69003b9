// SPDX-License-Identifier: Apache-2.0
#pragma once
// WorkerRoom: everything one worker's thread touches: loop, listeners, connections, slots,
// generations, scratch memory. Lives on the worker's side of the mailbox; worker.h is the
// supervisor's side. It decides nothing about requests.

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/arena.h"
#include "daemon/base/list.h"
#include "daemon/event/loop.h"
#include "daemon/event/mailbox.h"
#include "daemon/http/date.h"
#include "daemon/module/worker_services.h"
#include "daemon/proxy/client_connection.h"
#include "daemon/proxy/generation.h"
#include "daemon/proxy/listener.h"
#include "daemon/proxy/proxy_counters.h"
#include "daemon/proxy/replica_connection.h"
#include "daemon/proxy/worker.h"

namespace limpet {

/// One worker's world.
/// Thread: made and destroyed by main while the thread does not run, else its own thread only, but
/// for mailbox().
class WorkerRoom final : private Loop::TurnObserver, private Timer::Owner {
 public:
  static constexpr std::size_t kScratchBytes = 64 * 1024;  ///< one read of a body

  explicit WorkerRoom(Worker& worker);
  WorkerRoom(const WorkerRoom&) = delete;
  WorkerRoom& operator=(const WorkerRoom&) = delete;
  ~WorkerRoom() override;

  // -- what connections and relays use
  // ----------------------------------------------------------------------
  [[nodiscard]] Loop& loop() noexcept { return loop_; }
  [[nodiscard]] std::span<char> scratch() noexcept { return scratch_; }
  /// The vector a codec reports into; given back, empty, before anybody else borrows it.
  [[nodiscard]] StreamEvents& borrow_events();
  void return_events(StreamEvents& events) noexcept;
  [[nodiscard]] ArenaPool& arenas() noexcept { return arenas_; }
  /// For heads that belong to no exchange (a response nobody asked for).
  [[nodiscard]] Arena& spare_arena() noexcept;
  [[nodiscard]] WorkerServices& services() noexcept { return services_; }
  [[nodiscard]] ProxyCounters& counters() noexcept { return counters_; }
  [[nodiscard]] Generation& generation() noexcept { return *generation_; }
  /// Those of the present configuration, at an address that stays: codecs live longer than
  /// generations.
  [[nodiscard]] const CodecLimits& codec_limits() const noexcept { return codec_limits_; }
  [[nodiscard]] const TimeoutsModel& timeouts() const noexcept {
    return generation_->snapshot().timeouts;
  }
  [[nodiscard]] std::size_t buffer_bytes_max() const noexcept { return buffer_bytes_max_; }
  [[nodiscard]] std::size_t index() const noexcept { return services_.worker(); }
  /// This worker's part of a bound that is meant for all, rounded up.
  [[nodiscard]] std::uint64_t share_of(std::uint64_t bound) const noexcept {
    return (bound + worker_.setup_.count - 1) / worker_.setup_.count;
  }
  /// The Date field of this second.
  [[nodiscard]] std::string_view http_date() { return date_.text(loop_.wall_now()); }
  [[nodiscard]] std::string_view http_date_line() { return date_.line(loop_.wall_now()); }
  /// Whom a listener believes about the clients behind them.
  [[nodiscard]] const AddressPredicate& trust_of(std::string_view listener) const;

  [[nodiscard]] Relay* make_relay(ClientConnection& client, Arena& arena, RequestHead& head);
  void bury_relay(Relay& relay) { dead_relays_.push_back(&relay); }
  void bury(Connection& connection);
  /// The end of a callback of the loop: no frame of a relay is on the stack, so the dead ones are
  /// destroyed and their warm memory serves the next request.
  void after_callback() {
    if (!dead_relays_.empty()) destroy_dead_relays();
  }

  // -- what generations use
  // ---------------------------------------------------------------------------------
  [[nodiscard]] ReplicaSlot& slot_of(const Replica& replica);
  [[nodiscard]] WaitingRoom& waiting_room(const std::string& pool);
  /// Gives descriptors back when there are none left.
  void close_idle_replicas();
  ReplicaConnection& take_in(std::unique_ptr<ReplicaConnection> connection);

  // -- what listeners use
  // -----------------------------------------------------------------------------------
  void welcome(Fd fd, const Address& peer, const ListenerAtWork& listener);
  void on_client_closed(const ListenerAtWork& listener);
  [[nodiscard]] bool may_accept() const noexcept {
    return !is_draining_ && clients_count_ < worker_.setup_.connections_max;
  }

  // -- what the worker asks for
  // -----------------------------------------------------------------------------
  [[nodiscard]] Mailbox& mailbox() noexcept { return mailbox_; }
  void run();
  void adopt(Adoption adoption);
  void drain(Instant deadline, std::function<void()> on_drained);
  void stop() noexcept { loop_.stop(); }

 private:
  void on_turn(Instant now, WallSeconds wall) override;
  void on_timer(Timer& timer) override;
  void adopt_listeners(const Snapshot& snapshot, std::vector<WorkerSocket> sockets);
  void retire_generations();
  void destroy_dead_relays();
  void finish_drain_if_empty();
  void pause_or_resume_accepting();

  Worker& worker_;
  Loop loop_;
  Mailbox mailbox_;
  WorkerServices services_;
  ProxyCounters counters_;
  std::vector<char> scratch_;
  StreamEvents events_;
  bool are_events_borrowed_ = false;
  ArenaPool arenas_;
  Arena* spare_arena_ = nullptr;
  DateCache date_;
  std::size_t buffer_bytes_max_ = 64 * 1024;
  CodecLimits codec_limits_;
  std::unordered_map<const Vitals*, std::vector<std::unique_ptr<ReplicaSlot>>> slots_;
  std::map<std::string, std::unique_ptr<WaitingRoom>> waiting_rooms_;
  std::map<std::string, std::unique_ptr<ListenerAtWork>, std::less<>> listeners_at_work_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<Generation> generation_;
  std::vector<std::unique_ptr<Generation>> retired_;
  List<Connection> clients_;
  List<Connection> replicas_;
  std::uint64_t clients_count_ = 0;
  std::vector<Relay*> dead_relays_;
  Timer housekeeping_;
  Instant drain_deadline_ = kNever;
  std::function<void()> on_drained_;
  bool is_draining_ = false;
  bool is_accepting_ = true;
};

}  // namespace limpet
