// SPDX-License-Identifier: Apache-2.0
#pragma once
// Handshake: the talk by which a session is opened anew on another replica, before the request that
// needs it is sent there: initialize as the client once sent it, the comparison of what the new
// server says with what the old one said, initialized, then level and subscriptions. It does no
// input or output: it says what to send next and is fed what comes back. What it sends carries the
// credentials of the request that waits, never stored ones.
//
//   initialize ──► initialized ──► level ──► subscribe … ──► kDone
//        └───────────────┴── refused, different, broken ──► kRefused

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/http/message.h"
#include "modules/mcp/answer_reader.h"
#include "modules/mcp/carry_guard.h"
#include "modules/mcp/server_match.h"
#include "modules/mcp/session_record.h"

namespace limpet::mcp {

/// What is left of a server's answer to initialize after which it is too large.
inline constexpr std::size_t kHandshakeBytesMax = 1024 * 1024;

/// Names in lower case and values, as a request of limpet's own takes them.
using CallFields = std::vector<std::pair<std::string, std::string>>;

/// One carry-over.
/// Owns: copies of what it needs. Thread: its worker.
class Handshake {
 public:
  enum class State : std::uint8_t {
    kSend,     ///< body() is to be sent by POST, with fields()
    kReading,  ///< the answer is on its way: on_head(), then feed() and on_end()
    kDone,     ///< new_id() is open
    kRefused,  ///< end() and reason() say why
  };

  Handshake(SessionRecord record, CarryPolicy policy, std::size_t bytes_max = kHandshakeBytesMax);

  [[nodiscard]] State state() const noexcept { return state_; }
  /// The body of the request to send. Lifetime: until the next step.
  [[nodiscard]] const std::string& body() const noexcept { return body_; }
  /// The fields of that request: those of the waiting request, without what belongs to its body,
  /// its session, its stream or its place (Host), and with what this message needs.
  [[nodiscard]] CallFields fields(const HeaderList& waiting) const;
  /// The request has been sent.
  void on_sent() noexcept { state_ = State::kReading; }

  /// The head of its answer; informational ones are disregarded.
  void on_head(const ResponseHead& head);
  /// Bytes of its body. Once state() is no longer kReading the rest is not needed.
  void feed(std::string_view bytes);
  /// The body has ended.
  void on_end();
  /// The replica broke off, or a timer says that it took too long.
  void on_failure(std::string_view what);

  /// The id by which the new replica knows the session.
  [[nodiscard]] const std::string& new_id() const noexcept { return new_id_; }
  /// Whether a session was opened; where the state is kRefused it is to be deleted.
  [[nodiscard]] bool has_opened() const noexcept { return !new_id_.empty(); }
  [[nodiscard]] const ServerFacts& server() const noexcept { return server_; }
  /// Of kRefused.
  [[nodiscard]] CarryEnd end() const noexcept { return end_; }
  /// Of kRefused: a sentence for the log.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Level and subscriptions that the new server did not take; the session goes on without them.
  [[nodiscard]] std::uint32_t not_replayed() const noexcept { return not_replayed_; }

 private:
  enum class Step : std::uint8_t { kInitialize, kInitialized, kLevel, kSubscribe };

  void begin(Step step);
  void go_on();
  void on_answer();
  void on_initialize_answer(const RpcAnswer& answer);
  void refuse(CarryEnd end, std::string reason);

  SessionRecord record_;
  CarryPolicy policy_;
  std::size_t bytes_max_;
  State state_ = State::kSend;
  Step step_ = Step::kInitialize;
  std::size_t subscription_ = 0;
  std::uint32_t not_replayed_ = 0;
  std::uint16_t status_ = 0;
  CarryEnd end_ = CarryEnd::kFailed;
  std::string body_;
  std::string id_;  // of the request at hand, raw
  std::string new_id_;
  std::string offered_id_;
  std::string reason_;
  ServerFacts server_;
  std::unique_ptr<AnswerReader> reader_;
};

/// The fields of a request about an open session, made in the same way: a ping, a DELETE, the GET
/// that opens a stream anew.
[[nodiscard]] CallFields fields_for_session(const HeaderList& waiting, std::string_view original_id,
                                            std::string_view protocol_version);
/// The body of a ping, and its id, raw.
[[nodiscard]] std::string ping_body();
inline constexpr std::string_view kPingId = R"("limpet-ping")";

}  // namespace limpet::mcp
