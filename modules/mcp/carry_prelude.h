// SPDX-License-Identifier: Apache-2.0
#pragma once
// CarryPrelude: the carrying over of one session, as an exchange that needs it waits for it: the
// other instances are asked, a turn is taken (carry_guard.h), and on the replica that was chosen
// the session is opened anew (handshake.h). Whether it may be, session_turn.h has found out; the
// exchange goes on from there.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/module/exchange.h"
#include "daemon/module/replica_call.h"
#include "modules/mcp/carry_guard.h"
#include "modules/mcp/desk.h"
#include "modules/mcp/handshake.h"
#include "modules/mcp/letter_box.h"
#include "modules/mcp/numbers.h"

namespace limpet::mcp {

/// What is to be carried over, and for whom.
struct CarryOrder {
  std::string_view id;           ///< as the client knows it; the exchange's
  std::string home{};            ///< the replica that it was on, by its id; empty = not known
  std::uint32_t home_moves = 0;  ///< of the home that is lost
  LossCause cause = LossCause::kGone;
  Presented presented;
  Denial denial = Denial::kReplicaGone;
  /// The request that waits asks for nothing but what the carry-over does: it is answered 202.
  bool is_answered_by_carrying = false;
};

/// One exchange's; begun again where another replica is to be tried.
///
///   kIdle ──► kLookingUp ──► kTurn ──► kDelayed ──► kTalking ──► over
///                   │          └── kFollowing ──────────────────┘
///                   └── known elsewhere, ended ─────────────────┘
///
/// Lifetime: the exchange's turn. Thread: its worker.
class CarryPrelude final : public Prelude,
                           private CallOwner,
                           private CarryWaiter,
                           private LetterReader,
                           private DescriptorWatch::Owner {
 public:
  /// Replicas that one exchange tries.
  static constexpr std::uint32_t kTriesMax = 3;

  CarryPrelude(Desk& desk, CarryOrder order) : desk_(desk), order_(std::move(order)) {}
  ~CarryPrelude() { leave(); }
  CarryPrelude(const CarryPrelude&) = delete;
  CarryPrelude& operator=(const CarryPrelude&) = delete;

  void renew(CarryOrder order) noexcept { order_ = std::move(order); }
  [[nodiscard]] bool may_try() const noexcept { return tries_ < kTriesMax; }
  /// Set once the session lives on the exchange's replica.
  [[nodiscard]] const std::optional<SessionHome>& new_home() const noexcept { return new_home_; }

  std::optional<Result> begin(Exchange& exchange, Host& host) override;
  void cancel() noexcept override { leave(); }

 private:
  enum class State : std::uint8_t { kIdle, kLookingUp, kTurn, kFollowing, kDelayed, kTalking };

  void on_call_head(const ResponseHead& head) override;
  void on_call_body(std::string_view bytes) override;
  void on_call_end() override;
  void on_call_failed(FailureCause cause) override;
  void on_carried(CarryEnd end) noexcept override;
  void on_letter(CarryEnd end) override;
  void on_edge() override {}
  void on_alarm() override;

  std::optional<Result> start();
  std::optional<Result> look_up();
  std::optional<Result> on_looked_up(LookedUp found);
  std::optional<Result> take_turn();
  std::optional<Result> talk();
  std::optional<Result> go_on_talking();
  void say();
  std::optional<Result> settle();
  std::optional<Result> give_up(CarryEnd end, std::string_view reason);
  Result try_another(std::string_view reason);
  [[nodiscard]] bool has_moved_meanwhile();
  void drop_new_session();
  void set_alarm(Instant at);
  void leave() noexcept;
  void over(std::optional<Result> result);

  Desk& desk_;
  CarryOrder order_;
  Exchange* exchange_ = nullptr;
  Host* host_ = nullptr;
  State state_ = State::kIdle;
  std::uint32_t tries_ = 0;
  bool is_leading_ = false;
  bool has_looked_up_ = false;
  bool is_asking_ = false;       ///< the store is being asked: its answer may come at once
  bool is_answer_over_ = false;  ///< nothing else will come of the call
  std::optional<LookedUp> found_;
  std::uint64_t letters_number_ = 0;  ///< 0 = none
  std::optional<SessionRecord> record_;
  std::optional<Handshake> handshake_;
  std::optional<SessionHome> new_home_;
  std::unique_ptr<ReplicaCall> call_;
  std::unique_ptr<DescriptorWatch> alarm_;
  std::shared_ptr<int> life_ = std::make_shared<int>(0);  ///< answers of the store find it, or not
};

/// The answer to a request of a session that is not to be had any more: 404 with JSON-RPC -32001
/// and the request's id.
[[nodiscard]] Answer session_not_found(Arena& arena, std::string_view request_id);

}  // namespace limpet::mcp
