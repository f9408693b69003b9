// SPDX-License-Identifier: Apache-2.0
#pragma once
// StreamWatch: looks at one response of a session on its way: keeps the answer to initialize, knows
// where a stream of events may take a comment, and mends a stream whose replica was lost: a GET
// stream goes on on another replica, the stream of a call ends with an error for that call. It
// changes no byte that a replica sent.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/module/exchange.h"
#include "modules/mcp/answer_reader.h"
#include "modules/mcp/desk.h"
#include "modules/mcp/rpc_glance.h"
#include "modules/mcp/sse_scanner.h"

namespace limpet::mcp {

/// Hears of what a watch has found.
class StreamOwner {
 public:
  /// The answer to initialize.
  virtual void on_opened(std::string_view json) = 0;
  /// The stream's replica was lost; whether the session's GET may be sent once more.
  [[nodiscard]] virtual bool may_reopen() = 0;
  /// Whether the session has moved since the response began.
  [[nodiscard]] virtual std::string announcement_due() = 0;

 protected:
  ~StreamOwner() = default;
};

/// One response.
/// Lifetime: the exchange's turn. Thread: its worker.
class StreamWatch final : public ResponseHook, private SseSink {
 public:
  /// Answers to initialize that are kept.
  static constexpr std::size_t kInitializeBytesMax = 256 * 1024;
  /// What a stream that is continued again and again may take of its exchange's arena beyond the
  /// first block, some hundred replies of replicas; then its client is asked to open it anew.
  static constexpr std::size_t kContinuedBytesMax = 64 * 1024;
  /// A stream that breaks that often within a second of being opened is broken off.
  static constexpr std::uint32_t kQuickLossesMax = 3;

  /// What the response answers.
  enum class Kind : std::uint8_t { kGet, kCall, kInitialize };

  StreamWatch(Desk& desk, StreamOwner& owner, Exchange& exchange, Kind kind, const RpcGlance* asked,
              BodyForm form);
  ~StreamWatch();
  StreamWatch(const StreamWatch&) = delete;
  StreamWatch& operator=(const StreamWatch&) = delete;

  [[nodiscard]] const Exchange& exchange() const noexcept { return exchange_; }
  /// Ends a GET stream so that its client opens it anew. False: not at this place.
  bool close_politely();

 private:
  std::string_view on_body(std::string_view bytes, Buffer& scratch) override;
  std::string_view on_end(Buffer& scratch) override;
  [[nodiscard]] bool is_between() const noexcept override;
  Mend on_lost(Exchange& exchange, const Failure& failure, Buffer& last) override;
  bool on_continued(Exchange& exchange, const ResponseHead& head) override;
  void on_event(const SseEvent& event) override;

  [[nodiscard]] bool is_the_answer(std::string_view json) const;
  [[nodiscard]] bool is_answer_missing() const noexcept;
  void append_error(Buffer& last);
  void close_event(Buffer& last);
  [[nodiscard]] Mend reopen(Exchange& exchange, const Failure& failure, Buffer& last);

  Desk& desk_;
  StreamOwner& owner_;
  Exchange& exchange_;
  const RpcGlance* asked_;  ///< of a call; null for GET
  SseScanner scanner_;
  std::unique_ptr<AnswerReader> reader_;  ///< of an initialize that is not answered yet
  std::optional<OpenStream> open_;        ///< of an event stream
  std::string last_event_id_;
  Instant opened_{};
  std::uint32_t quick_losses_ = 0;
  Kind kind_;
  bool is_events_;
  bool is_answered_ = false;
  bool can_be_resumed_ = false;  ///< its events have ids
};

}  // namespace limpet::mcp
