// SPDX-License-Identifier: Apache-2.0
#pragma once
// Relay: the machine that carries one exchange from request head to done. relay.cc is written in
// the order in which things happen to a request: read it from top to bottom. The facts are in
// Exchange (module/exchange.h); bytes move in the two connections.

#include <cstdint>
#include <string_view>

#include "daemon/base/buffer.h"
#include "daemon/base/list.h"
#include "daemon/event/timer.h"
#include "daemon/http/message.h"
#include "daemon/module/candidates.h"
#include "daemon/module/exchange.h"
#include "daemon/proxy/lease.h"

namespace limpet {

class ClientConnection;
class Generation;
struct PoolAtWork;
class ReplicaSlot;
class WorkerRoom;

/// Carries one exchange.
///
///   kNew ──► kSelecting ◄──► kWaiting (for room on a replica)
///                │  ▲
///                ▼  │ failure that may be repeated
///          kConnecting ──► kAwaitingHead ──► kResponding ──► kOver
///                                   └──101──► kTunnel ────────┘
///   Every state leads to kOver by limpet's own answer (by way of kCollecting, where that answer
///   repeats something of the request's body), or by the loss of one side.
///
/// Lives in its exchange's arena. Borrows: the client's connection, which owns it. Thread: its
/// worker.
class Relay final : public ListNode<Relay>, private Timer::Owner {
 public:
  Relay(WorkerRoom& room, ClientConnection& client, Arena& arena, RequestHead& head);
  ~Relay();

  // -- from the client's connection
  // ------------------------------------------------------------------------
  void begin();
  /// Answers what never became a request.
  void begin_refused(std::uint16_t status, std::string_view detail);
  void on_request_body(std::string_view bytes);
  void on_request_trailers(HeaderList& trailers);
  void on_request_end();
  void on_request_fault(std::uint16_t status, std::string_view reason);
  /// The client has gone; nothing can be sent to it.
  void on_client_gone();
  /// The client has ended its half after a whole request: it may still read.
  void on_client_half_closed();
  /// If nothing else ends this exchange before, this did.
  void will_end_by(Ending ending) noexcept;
  /// The client neither sends what it owes nor takes what it is sent.
  void on_client_stalled();
  void on_client_drained();
  void flush_replica();

  // -- from the replica's connection
  // -----------------------------------------------------------------------
  void on_leased();
  void on_informational(ResponseHead& head);
  void on_response_head(ResponseHead& head);
  void on_response_body(std::string_view bytes);
  void on_response_trailers(HeaderList& trailers);
  void on_response_end();
  void on_attempt_failed(FailureCause cause);
  void on_replica_drained();
  void flush_client();

  // -- from the waiting room
  // -------------------------------------------------------------------------------
  /// There may be room now.
  void on_turn_in_queue();
  /// The replica waited for; null = any.
  [[nodiscard]] const Replica* awaited() const noexcept { return awaited_; }

  [[nodiscard]] Arena& arena() const noexcept { return exchange_.arena; }
  [[nodiscard]] const Exchange& exchange() const noexcept { return exchange_; }

 private:
  enum class State : std::uint8_t {
    kNew,
    kSelecting,
    kWaiting,
    kCollecting,
    kConnecting,
    kAwaitingHead,
    kResponding,
    kTunnel,
    kOver
  };

  // relay.cc, in order of time
  void route();
  void prepare_request();
  void choose_replica();
  void reach_replica(const Replica& replica);
  enum class Dial : std::uint8_t { kFirst, kAgain };
  void dial(Dial which);
  void hold_client();
  void send_request();
  void send_held_body();
  void expect_more(BodyLength::Kind kind);

  // relay_failure.cc
  void wait(const Choice& choice);
  void await(const Replica* replica) noexcept;
  void on_timer(Timer& timer) override;
  void answer_locally();
  [[nodiscard]] bool must_collect_body() const;
  void answer(std::uint16_t status, std::string_view detail);
  void fail_response(Ending ending);
  void let_go_of_replica();
  [[nodiscard]] bool may_redial(FailureCause cause) const;
  [[nodiscard]] Repeat repeat_of(FailureCause cause) const;
  void finish(Ending ending);

  [[nodiscard]] ReplicaConnection* replica() const noexcept { return lease_.connection(); }

  WorkerRoom& room_;
  ClientConnection& client_;
  Generation& generation_;
  Exchange exchange_;
  PoolAtWork* pool_ = nullptr;
  ReplicaSlot* slot_ = nullptr;       ///< counted in on while set
  const Replica* awaited_ = nullptr;  ///< counted in its queue while set
  HeaderList* request_trailers_ = nullptr;
  HeaderList* response_trailers_ = nullptr;
  Lease lease_;
  Timer timer_;       ///< of waiting
  Buffer held_body_;  ///< body that arrived before the replica was reached
  Instant waiting_since_ = kNever;
  State state_ = State::kNew;
  bool is_request_ended_ = false;  ///< the request has arrived whole
  bool is_request_end_sent_ = false;
  bool has_sent_body_ = false;  ///< body bytes are gone: no other replica can be given them
  bool was_reused_ =
      false;  ///< the connection had carried an exchange before: it may have been stale
  bool has_redialled_ = false;
  bool is_response_ended_ = false;  ///< of a tunnel: the replica has ended its half
  bool is_client_started_ = false;  ///< response bytes went to the client
};

}  // namespace limpet
