// SPDX-License-Identifier: Apache-2.0
#pragma once
// Hooks into bodies, for the few modules that ask: AnswerJudge looks at a replica's answer before
// the client does, ResponseHook sees a response's body on its way and mends what is lost in
// mid-way, StreamDoor lets bytes of limpet's own into a running response. A module sets them in
// Exchange; without them no body is looked at.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base/buffer.h"
#include "daemon/http/message.h"
#include "daemon/module/failure.h"

namespace limpet {

struct Exchange;

/// Judges an answer before it is relayed; Exchange::answer_judge.
class AnswerJudge {
 public:
  enum class Verdict : std::uint8_t {
    kPass,    ///< to the client
    kAgain,   ///< the same request once more: select is asked anew; the request's body was kept
    kAnswer,  ///< limpet answers by itself, with what stands in Exchange::answer
    kWait,    ///< Exchange::prelude was set: run it, then ask again with the same answer
  };
  /// How much of the body has to be seen for a verdict; 0 = the answer passes unseen.
  [[nodiscard]] virtual std::size_t wants_of(Exchange& exchange, const ResponseHead& head) = 0;
  /// `body` is what came of it, up to what was wanted; `is_whole` where it ended there.
  [[nodiscard]] virtual Verdict judge(Exchange& exchange, const ResponseHead& head,
                                      std::string_view body, bool is_whole) = 0;
  /// An attempt failed before an answer; asked behind the chain's failure phase, and its word
  /// counts before that one's. After kAgain the replica counts as tried, unless the judge has set
  /// Attempt::may_be_tried_again.
  [[nodiscard]] virtual Verdict judge_failure(Exchange& exchange, const Failure& failure) = 0;

 protected:
  ~AnswerJudge() = default;
};

/// Sees a response's body on its way; Exchange::response_hook, set in the response phase.
class ResponseHook {
 public:
  /// What is done about a response that its replica did not finish.
  enum class Mend : std::uint8_t {
    kBreak,     ///< the client sees a broken response
    kEnd,       ///< the response ends whole, after `last`
    kContinue,  ///< the request is sent once more (select is asked anew), and the body of that
                ///< answer goes on where this one stopped, after `last`
  };
  /// Bytes of the body. Returns what goes to the client in their place: `bytes` itself, or what
  /// was put into `scratch`.
  [[nodiscard]] virtual std::string_view on_body(std::string_view bytes, Buffer& scratch) = 0;
  /// The body is complete. Returns what goes to the client before its end.
  [[nodiscard]] virtual std::string_view on_end(Buffer& scratch) = 0;
  /// Whether bytes of limpet's own may stand at this place of the body.
  [[nodiscard]] virtual bool is_between() const noexcept = 0;
  [[nodiscard]] virtual Mend on_lost(Exchange& exchange, const Failure& failure, Buffer& last) = 0;
  /// The answer that is to go on has begun. False: it does not fit; the response is broken off.
  [[nodiscard]] virtual bool on_continued(Exchange& exchange, const ResponseHead& head) = 0;

 protected:
  ~ResponseHook() = default;
};

/// A way into a running response; Exchange::door.
/// Lifetime: the exchange's.
class StreamDoor {
 public:
  /// Puts bytes into the response, between what came and what comes. False where none is running,
  /// or ResponseHook::is_between() says no: ask again later.
  virtual bool put(std::string_view bytes) = 0;
  /// Ends the response whole, after what was put; the replica is let go.
  virtual void end() = 0;
  /// Closes whatever the exchange is doing, as if the replica had been lost.
  virtual void lose_replica() = 0;

 protected:
  ~StreamDoor() = default;
};

}  // namespace limpet
