// SPDX-License-Identifier: Apache-2.0
#pragma once
// PingPrelude: settles a doubt: an answer that may say that the session is lost, or that the
// request was bad, or no answer at all (doubts.h). A ping on the same id, with the same
// credentials, tells which; the answer in doubt waits.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "daemon/module/exchange.h"
#include "daemon/module/replica_call.h"
#include "modules/mcp/desk.h"
#include "modules/mcp/lost_session.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

/// One ping.
/// Lifetime: the exchange's turn. Thread: its worker.
class PingPrelude final : public Prelude, private CallOwner {
 public:
  /// A replica that does not answer by then leaves the answer in doubt as it is.
  static constexpr std::chrono::seconds kAnswerWithin{5};

  explicit PingPrelude(Desk& desk) : desk_(desk) {}

  /// kNotLost where nothing could be found out.
  [[nodiscard]] Loss verdict() const noexcept { return verdict_; }
  /// What it says where nothing was in doubt but that the replica is silent: only a plain word that
  /// the session is not known counts against it. A refused connect does not: a replica that ends in
  /// order takes no connections and still answers what it has begun.
  [[nodiscard]] DoubtEnd on_silence() const;

  std::optional<Result> begin(Exchange& exchange, Host& host) override;
  void cancel() noexcept override { call_.reset(); }

 private:
  void on_call_head(const ResponseHead& head) override;
  void on_call_body(std::string_view bytes) override;
  void on_call_end() override { over(Whole::kYes); }
  void on_call_failed(FailureCause cause) override;
  enum class Whole : std::uint8_t { kYes, kNo };
  void over(Whole whole);

  Desk& desk_;
  Host* host_ = nullptr;
  std::unique_ptr<ReplicaCall> call_;
  std::uint16_t status_ = 0;
  std::string content_type_;
  std::string body_;
  bool is_whole_ = false;
  Loss verdict_ = Loss::kNotLost;
};

}  // namespace limpet::mcp
