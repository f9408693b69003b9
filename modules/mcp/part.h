// SPDX-License-Identifier: Apache-2.0
#pragma once
// Part: a share of the module's work that is about requests of one kind: legacy HTTP+SSE, tasks of
// the modern era, subscriptions/listen. The module (mcp_module.h) asks its parts in the order of
// parts.cc whether an exchange is theirs; what nobody takes is a request of the session era, which
// the module carries by itself.

#include <memory>
#include <vector>

#include "daemon/module/module.h"
#include "modules/mcp/numbers.h"
#include "modules/mcp/settings.h"

namespace limpet::mcp {

/// What keeps an event stream alive that has nothing to say: a comment, and no event.
inline constexpr std::string_view kKeepAlive = ": keep-alive\n\n";

class RedisLink;
struct PoolState;

/// What a part remembers of one exchange; freed when that is done.
struct PartNote {
  virtual ~PartNote() = default;
};

/// Keeps the notes of parts.
class PartNotes {
 public:
  /// The note that the part which took the exchange left, or null.
  [[nodiscard]] virtual PartNote* note_of(const Exchange& exchange) const noexcept = 0;
  /// Leaves a note, in place of an earlier one; only for exchanges that the part has taken.
  virtual void leave_note(Exchange& exchange, std::unique_ptr<PartNote> note) = 0;

 protected:
  ~PartNotes() = default;
};

/// What the parts of one module share.
/// Lifetime: the module's; everything borrowed outlives the parts.
struct PartContext {
  const McpSettings& settings;
  PoolState& state;         ///< the pool's, shared by all workers (pool_state.h)
  ModuleServices services;  ///< worker, pool, slot
  PartNotes& notes;
  Numbers& numbers;
  RedisLink* redis = nullptr;  ///< null without a store
};

/// Whether an exchange is one of the part's.
enum class Taking : std::uint8_t { kNotMine, kMine };

/// One worker's share of it. No part is ever shown a request of the session era that names its
/// session: those are nobody else's, and most of all requests.
/// Thread: its worker.
class Part {
 public:
  virtual ~Part() = default;

  /// Of the exchanges that it takes.
  [[nodiscard]] virtual ClientEra era() const noexcept = 0;
  /// Asked in the request phase, of each part until one takes it. Who does sets what it needs
  /// (body_wanted_bytes, prelude, answer_judge, an answer, …), and is told of the later phases;
  /// nobody else is.
  virtual Taking on_request(Exchange& exchange) = 0;
  /// Before affinity and balance are asked. Settled: they are not.
  virtual Verdict on_select(Exchange&, Candidates&) { return Verdict::kNext; }
  virtual void on_failure(Exchange&, const Failure&) {}
  /// After affinity has wrapped what it wraps.
  virtual void on_response(Exchange&) {}
  /// In select, for exchanges that no part took: initialize goes only where it is understood.
  virtual void on_foreign_select(Exchange&, Candidates&) {}
  /// Sees the initialize answers and other responses of exchanges that are not its own: eras are
  /// learnt from them.
  virtual void on_foreign_response(Exchange&) {}
  /// Its note is freed afterwards.
  virtual void on_done(const Exchange&) noexcept {}
  virtual void on_tick(Instant) {}
};

/// The parts of a module, in the order in which they are asked.
[[nodiscard]] std::vector<std::unique_ptr<Part>> make_parts(const PartContext& context);

}  // namespace limpet::mcp
