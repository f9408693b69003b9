// SPDX-License-Identifier: Apache-2.0
#pragma once
// WorkerRoom: everything one worker's thread touches: loop, listeners, connections, slots,
// generations, scratch memory. Lives on the worker's side of the mailbox; worker.h is the
// supervisor's side. It decides nothing about requests.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/arena.h"
#include "daemon/base/list.h"
#include "daemon/event/loop.h"
#include "daemon/event/mailbox.h"
#include "daemon/http/response_lines.h"
#include "daemon/module/worker_services.h"
#include "daemon/proxy/client_connection.h"
#include "daemon/proxy/descriptor_watches.h"
#include "daemon/proxy/dialler.h"
#include "daemon/proxy/generation.h"
#include "daemon/proxy/http2_replica.h"
#include "daemon/proxy/listener.h"
#include "daemon/proxy/proxy_counters.h"
#include "daemon/proxy/replica_caller.h"
#include "daemon/proxy/replica_connection.h"
#include "daemon/proxy/worker.h"

namespace limpet {

/// One worker's world.
/// Thread: made and destroyed by main while the thread does not run, else its own thread only, but
/// for mailbox().
class WorkerRoom final : private Loop::TurnObserver,
                         private Timer::Owner,
                         private LoopWatches::Callbacks {
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
  /// The same for HTTP/2.
  [[nodiscard]] const Http2Settings& http2_settings() const noexcept { return http2_settings_; }
  [[nodiscard]] const TimeoutsModel& timeouts() const noexcept {
    return generation_->snapshot().timeouts;
  }
  [[nodiscard]] std::size_t buffer_bytes_max() const noexcept { return buffer_bytes_max_; }
  /// What may be queued for one side before the other is not read any more: a read comes on top,
  /// and both together should fit into one block of the buffer's.
  [[nodiscard]] std::size_t pause_above_bytes() const noexcept { return buffer_bytes_max_ / 2; }
  [[nodiscard]] std::size_t index() const noexcept { return services_.worker(); }
  /// This worker's part of a bound that is meant for all, rounded up.
  [[nodiscard]] std::uint64_t share_of(std::uint64_t bound) const noexcept {
    return (bound + worker_.setup_.count - 1) / worker_.setup_.count;
  }
  /// The Date field of this second.
  [[nodiscard]] std::string_view http_date() { return response_lines_.date(loop_.wall_now()); }
  /// Adds what every response gets, borrowed until the head is written.
  void add_response_lines(ResponseHead& head) { response_lines_.add_to(head, loop_.wall_now()); }
  /// Whom a listener believes about the clients behind them.
  [[nodiscard]] const AddressPredicate& trust_of(std::string_view listener) const;

  [[nodiscard]] Relay* make_relay(ClientStream& client, Arena& arena, RequestHead& head);
  /// Destroys a relay at the end of the callback, and gives its arena back.
  void bury_relay(Relay& relay) noexcept;
  /// Gives an arena back at the end of the callback.
  void bury_arena(Arena& arena) { dead_arenas_.push_back(&arena); }
  void bury(Connection& connection);
  /// The end of a callback of the loop: no frame of a relay is on the stack, so the dead ones are
  /// destroyed and their warm memory serves the next request.
  void after_callback() {
    if (!dead_relays_.is_empty() || !dead_arenas_.empty()) destroy_dead_relays();
  }

  // -- what generations use
  // ---------------------------------------------------------------------------------
  [[nodiscard]] ReplicaSlot& slot_of(const Replica& replica);
  [[nodiscard]] WaitingRoom& waiting_room(const std::string& pool);
  /// Gives descriptors back when there are none left.
  void close_idle_replicas();
  template <typename T>
  T& take_in(std::unique_ptr<T> connection) {
    T& taken = *connection.release();
    replicas_.push_back(taken);
    return taken;
  }

  // -- what listeners use
  // -----------------------------------------------------------------------------------
  void welcome(Fd fd, const Address& peer, const ListenerAtWork& listener, const std::string& bind);
  /// Counts a connection of `client`, as long as it is open. Errors: false where it has too many.
  [[nodiscard]] bool count_client(const Address& client, ClientOrigin& origin);
  void on_client_closed(const ListenerAtWork& listener, ClientProtocol spoken);
  /// The connection of a client that has been counted in already.
  void admit_http1(Transport transport, ClientOrigin origin, const ListenerAtWork& listener);
  void admit_http2(Transport transport, ClientOrigin origin, const ListenerAtWork& listener,
                   Buffer read_already);
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
  void after_owner() override { after_callback(); }
  void on_timer(Timer& timer) override;
  ListenerAtWork& at_work_for(const ListenerPlan& plan);
  void drain_clients_of_gone_listeners(const Snapshot& snapshot,
                                       const std::vector<WorkerSocket>& sockets);
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
  ReplicaCaller caller_;
  LoopWatches watches_;
  std::vector<char> scratch_;
  StreamEvents events_;
  bool are_events_borrowed_ = false;
  ArenaPool arenas_;
  Arena* spare_arena_ = nullptr;
  ResponseLines response_lines_;
  std::size_t buffer_bytes_max_ = 64 * 1024;
  CodecLimits codec_limits_;
  Http2Settings http2_settings_;
  std::unordered_map<const Vitals*, std::vector<std::unique_ptr<ReplicaSlot>>> slots_;
  std::map<std::string, std::unique_ptr<WaitingRoom>> waiting_rooms_;
  std::map<std::string, std::unique_ptr<ListenerAtWork>, std::less<>> listeners_at_work_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::set<std::string, std::less<>> binds_;  ///< all that sockets ever had here
  std::unique_ptr<Generation> generation_;
  std::vector<std::unique_ptr<Generation>> retired_;
  List<ClientSide> clients_;
  List<ReplicaSide> replicas_;
  std::uint64_t clients_count_ = 0;
  List<Relay> dead_relays_;
  std::vector<Arena*> dead_arenas_;
  Timer housekeeping_;
  Instant drain_deadline_ = kNever;
  std::function<void()> on_drained_;
  bool is_draining_ = false;
  bool is_accepting_ = true;
};

}  // namespace limpet
