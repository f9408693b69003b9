// SPDX-License-Identifier: Apache-2.0
#pragma once
// Prelude: what has to be finished before an exchange goes on: a handshake on the chosen replica, a
// look-up elsewhere, somebody else's handshake for the same session. No phase of the chain waits;
// this is the one place that does. A module makes one and sets Exchange::prelude; the relay runs it
// and goes on as it says.

#include <cstdint>
#include <optional>

namespace limpet {

struct Exchange;

/// One thing to wait for.
/// Lifetime: from where it is set until it is over or cancelled.
class Prelude {
 public:
  /// How the exchange goes on.
  enum class Result : std::uint8_t {
    kGoOn,         ///< where it stood: to the replica, or to the choice of one
    kChooseAgain,  ///< select is asked anew
    kAnswer,       ///< limpet answers by itself, with what stands in Exchange::answer
  };
  /// The relay, as a prelude sees it.
  class Host {
   public:
    /// The prelude is over. Not called before begin() has returned.
    virtual void on_prelude_over(Result result) = 0;

   protected:
    ~Host() = default;
  };

  /// Begins; a result where there is nothing to wait for. Otherwise the host is told, in the end.
  [[nodiscard]] virtual std::optional<Result> begin(Exchange& exchange, Host& host) = 0;
  /// The exchange ends before the prelude: the host is not to be told any more.
  virtual void cancel() noexcept = 0;

 protected:
  ~Prelude() = default;
};

}  // namespace limpet
