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

class ClientStream;
class Generation;
struct PoolAtWork;
struct PoolPlan;
class ReplicaSlot;
class WorkerRoom;

/// Carries one exchange.
///
///   kNew ──► kReading (the body, where a module wants to see it first)
///     │         │
///     ▼         ▼
///   kSelecting ◄──► kWaiting (for room on a replica)
///     │  ▲
///     ▼  │ failure that may be repeated
///   kConnecting ──► kAwaitingHead ──► (kJudging) ──► kResponding ──► kOver
///                            └──101──► kTunnel ────────────────────────┘
///   kPrelude may stand before kSelecting, kConnecting and behind kJudging. Every state leads to
///   kOver by limpet's own answer (by way of kCollecting, where that answer repeats something of
///   the request's body), or by the loss of one side.
///
/// Lives in its exchange's arena. Borrows: the client's stream, which owns it. Thread: its worker.
class Relay final : public ListNode<Relay>,
                    private Timer::Owner,
                    private LeaseHolder,
                    private Prelude::Host,
                    private StreamDoor {
 public:
  Relay(WorkerRoom& room, ClientStream& client, Arena& arena, RequestHead& head);
  ~Relay();

  // -- from the client's stream
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

  // -- from the waiting room
  // -------------------------------------------------------------------------------
  /// There may be room now.
  void on_turn_in_queue();
  /// There is a new configuration: a request that waits for room goes on in it as if it had come
  /// just now, but for how long it may wait.
  void on_reload();
  /// The replica waited for; null = any.
  [[nodiscard]] const Replica* awaited() const noexcept { return awaited_; }

  [[nodiscard]] Arena& memory() const noexcept { return exchange_.arena; }
  [[nodiscard]] const Exchange& exchange() const noexcept { return exchange_; }

 private:
  enum class State : std::uint8_t {
    kNew,
    kReading,
    kPrelude,
    kSelecting,
    kWaiting,
    kCollecting,
    kConnecting,
    kAwaitingHead,
    kJudging,
    kResponding,
    kTunnel,
    kOver
  };

  // From the replica's stream.
  void on_leased() override;
  void on_informational(ResponseHead& head) override;
  void on_response_head(ResponseHead& head) override;
  void on_response_body(std::string_view bytes) override;
  void on_response_trailers(HeaderList& trailers) override;
  void on_response_end() override;
  void on_attempt_failed(FailureCause cause) override;
  void on_replica_drained() override;
  void flush_client() override;
  [[nodiscard]] Arena& arena() const noexcept override { return exchange_.arena; }

  // relay.cc, in order of time
  void route();
  void prepare_request();
  void read_body_first();
  void on_body_seen();
  void choose_replica();
  void reach_replica();
  enum class Dial : std::uint8_t { kFirst, kAgain };
  void dial(Dial which);
  void pause_client();
  void resume_client();
  void hold_client();
  void send_request();
  void send_held_body();
  [[gnu::noinline]] void prepare_upgrade();
  [[gnu::noinline]] [[nodiscard]] bool fits_upgrade(ResponseHead& head);
  [[gnu::noinline]] [[nodiscard]] bool is_tried_elsewhere(std::uint16_t status);
  void begin_response(ResponseHead& head);
  void expect_head();
  void expect_more(BodyLength::Kind kind);

  // relay_reload.cc
  [[gnu::noinline]] void keep_head();
  [[nodiscard]] const PoolPlan* pool_in(const Generation& fresh) const;
  void leave_generation(Generation& fresh);
  void take_attempts_over(const PoolPlan& plan);

  // relay_hooks.cc
  /// Where an exchange goes on after a prelude.
  enum class Next : std::uint8_t { kSelect, kReach, kJudge };
  void go_on(Next next);
  void step(Next next);
  void on_prelude_over(Prelude::Result result) override;
  void follow(Prelude::Result result);
  [[nodiscard]] bool holds_answer(ResponseHead& head);
  void judge();
  void follow(AnswerJudge::Verdict verdict);
  void try_again();
  [[nodiscard]] bool mend(const Failure& failure);
  void continue_response(ResponseHead& head);
  void start_keep_alive();
  void keep_alive();
  bool put(std::string_view bytes) override;
  void end() override;
  void lose_replica() override;

  // relay_failure.cc
  void wait(const Choice& choice);
  void await(const Replica* replica) noexcept;
  void on_timer(Timer& timer) override;
  void answer_locally();
  [[nodiscard]] bool must_collect_body() const;
  void answer(std::uint16_t status, std::string_view detail);
  void fail_response(Ending ending);
  void let_go_of_replica();
  [[gnu::noinline]] [[nodiscard]] bool finds_another();
  [[nodiscard]] bool may_redial(FailureCause cause) const;
  [[nodiscard]] Repeat repeat_of(FailureCause cause) const;
  void finish(Ending ending);

  [[nodiscard]] ReplicaStream* replica() const noexcept { return lease_.stream(); }

  WorkerRoom& room_;
  ClientStream& client_;
  Generation* generation_;
  Exchange exchange_;
  PoolAtWork* pool_ = nullptr;
  ReplicaSlot* slot_ = nullptr;       ///< counted in on while set
  const Replica* awaited_ = nullptr;  ///< counted in its queue while set
  HeaderList* request_trailers_ = nullptr;
  HeaderList* response_trailers_ = nullptr;
  Lease lease_;
  Timer timer_;         ///< of waiting, and of a response's keep-alive
  Buffer held_body_;    ///< body that arrived before the replica was reached, or is kept
  Buffer held_answer_;  ///< of a body that is judged
  Buffer scratch_;      ///< what a response's hook made
  Prelude* prelude_ = nullptr;
  RequestHead* kept_head_ = nullptr;  ///< as it came, where the request may have to begin again
  ResponseHead* judged_ = nullptr;
  std::size_t judged_bytes_wanted_ = 0;  ///< of judged_
  Instant last_said_ = kNever;           ///< of a response that is kept alive
  Instant waiting_since_ = kNever;
  std::uint8_t reloads_ = 0;  ///< after which it has begun again
  State state_ = State::kNew;
  bool is_request_ended_ = false;  ///< the request has arrived whole
  bool is_request_end_sent_ = false;
  bool is_let_on_ = false;      ///< by the replica's 100: the rest is for the client to send
  bool has_sent_body_ = false;  ///< body bytes are gone: no other replica can be given them
  bool keeps_body_ = false;     ///< the request's whole body stays in held_body_
  bool is_answer_whole_ = false;
  bool is_continuing_ = false;  ///< the response began on another replica
  Next after_prelude_ = Next::kSelect;
  bool was_reused_ =
      false;  ///< the connection had carried an exchange before: it may have been stale
  bool has_redialled_ = false;
  bool is_response_ended_ = false;  ///< of a tunnel: the replica has ended its half
  bool is_client_started_ = false;  ///< response bytes went to the client
  bool is_client_paused_ = false;   ///< by this relay
};

}  // namespace limpet
