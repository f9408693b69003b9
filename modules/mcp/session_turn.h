// SPDX-License-Identifier: Apache-2.0
#pragma once
// SessionTurn: one exchange of the session era: what it asks, where its session lives when its
// token no longer says so, what is made of an answer or a failure that means loss, and what of it
// has to be remembered. Affinity owns tokens and finds replicas; the waiting is carry_prelude.h's,
// the response's body stream_watch.h's.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/module/exchange.h"
#include "modules/mcp/carry_prelude.h"
#include "modules/mcp/desk.h"
#include "modules/mcp/doubts.h"
#include "modules/mcp/lost_session.h"
#include "modules/mcp/ping_prelude.h"
#include "modules/mcp/rpc_glance.h"
#include "modules/mcp/rpc_message.h"
#include "modules/mcp/session_activity.h"
#include "modules/mcp/stream_watch.h"

namespace limpet::mcp {

/// Whether a request is one of MCP's, by its head alone.
[[nodiscard]] bool is_mcp_request(const RequestHead& request) noexcept;

/// Lifetime: from the request phase to the done phase. Thread: its worker.
class SessionTurn final : public AnswerJudge, public SessionCarrier, private StreamOwner {
 public:
  /// Bodies up to that size are kept, so that their call can be sent again; larger ones pass.
  static constexpr std::size_t kBodyKeptBytes = 256 * 1024;
  /// How often one exchange sends its request once more for reasons of its session.
  static constexpr std::uint32_t kRepeatsMax = 4;

  SessionTurn(Desk& desk, Exchange& exchange);
  ~SessionTurn();
  SessionTurn(const SessionTurn&) = delete;
  SessionTurn& operator=(const SessionTurn&) = delete;

  /// In the phases of the chain.
  void on_request();
  void on_response();
  void on_done() noexcept;

  std::size_t wants_of(Exchange& exchange, const ResponseHead& head) override;
  Verdict judge(Exchange& exchange, const ResponseHead& head, std::string_view body,
                bool is_whole) override;
  Verdict judge_failure(Exchange& exchange, const Failure& failure) override;

  Place find(Exchange& exchange, std::string_view client_id) override;
  bool shall_leave(const Replica& replica) override;

 private:
  void on_opened(std::string_view json) override;
  bool may_reopen() override;
  std::string announcement_due() override;

  /// The whole message; for most calls said() is enough.
  [[nodiscard]] const RpcMessage& message();
  /// What the request is.
  [[nodiscard]] const RpcGlance& said();
  [[nodiscard]] AskedOfSession asked();
  [[nodiscard]] Place move_to(const SessionHome& home);
  [[nodiscard]] Place order_carrying(std::string_view client_id);
  Verdict on_denied();
  Verdict repeat();
  Verdict answer_unanswered();
  [[nodiscard]] bool is_harmless();
  Verdict judge_denial_in_silence();
  [[nodiscard]] std::string home_replica() const;
  void end_session(std::string_view id);
  void note_given_up(std::string_view client_id, CarryEnd end);
  [[nodiscard]] bool is_presented_by_its_own(std::string_view client_id);
  void note_change();
  void meet();
  void watch(StreamWatch::Kind kind, BodyForm form);
  [[nodiscard]] Presented presented() const;
  void lose(LossCause cause);
  [[nodiscard]] Doing doing() const noexcept { return is_call_ ? Doing::kCall : Doing::kStream; }

  Desk& desk_;
  Exchange& exchange_;
  std::string_view sent_id_;             ///< as the request has it
  SessionActivity::Use* use_ = nullptr;  ///< of the session of sent_id_, while it is counted there
  std::string opened_id_;                ///< of an initialize that opened a session
  std::optional<RpcMessage> message_;
  Doubt doubt_;
  std::optional<RpcGlance> said_;
  std::unique_ptr<PingPrelude> ping_;
  std::unique_ptr<CarryPrelude> carry_;
  std::unique_ptr<StreamWatch> watch_;
  std::uint32_t repeats_ = 0;
  std::uint32_t home_moves_ = 0;       ///< of the home that the request was last led to
  std::uint32_t announced_moves_ = 0;  ///< of the home that the client's stream began on
  LossCause loss_ = LossCause::kGone;
  bool is_counted_lost_ = false;
  bool is_given_up_ = false;
  bool is_met_now_ = false;  ///< the session was not in this worker's hands before
  bool is_call_ = false;     ///< of the session's activity; otherwise a stream
};

}  // namespace limpet::mcp
