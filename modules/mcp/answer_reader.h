// SPDX-License-Identifier: Apache-2.0
#pragma once
// AnswerReader: waits, in the body of one response, for the JSON-RPC message that answers one
// request, whether the replica answers with JSON or with a stream in which other messages go
// before. It keeps no more than a bound, and nothing once it has the answer.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "modules/mcp/rpc_answer.h"
#include "modules/mcp/sse_scanner.h"

namespace limpet::mcp {

/// One response body.
class AnswerReader final : private SseSink {
 public:
  enum class State : std::uint8_t {
    kReading,
    kAnswered,  ///< json() is the answer
    kTooLarge,
    kMissing,  ///< the body has ended, or is of a form, without it
  };

  /// `id` is the request's, raw; an answer with another id, by value, is not the awaited one, one
  /// without any is taken for an error about the whole request.
  AnswerReader(std::string_view id, BodyForm form, std::size_t bytes_max);

  /// Takes the next bytes of the body.
  State feed(std::string_view bytes);
  /// The body has ended.
  State finish();

  [[nodiscard]] State state() const noexcept { return state_; }
  /// The answer's text. Lifetime: the reader's.
  [[nodiscard]] std::string_view json() const noexcept { return json_; }
  [[nodiscard]] RpcAnswer answer() const { return read_answer(json_); }

 private:
  void on_event(const SseEvent& event) override;
  [[nodiscard]] bool is_awaited(std::string_view json) const;

  std::string id_;
  std::string json_;
  SseScanner scanner_;
  std::size_t bytes_max_;
  BodyForm form_;
  State state_ = State::kReading;
};

}  // namespace limpet::mcp
