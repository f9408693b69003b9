// SPDX-License-Identifier: Apache-2.0
#pragma once
// McpModule: the mcp module at work in one worker. It finds out whose an exchange is: that of one
// of its parts (part.h), or one of the session era, whose turn (session_turn.h) does the work.
// Between exchanges it reaps, counts and empties drained replicas (caretaker.h).

#include <memory>
#include <optional>
#include <vector>

#include "daemon/module/module.h"
#include "modules/mcp/caretaker.h"
#include "modules/mcp/desk.h"
#include "modules/mcp/part.h"
#include "modules/mcp/session_turn.h"

namespace limpet::mcp {

/// Borrows: settings, state and services. Thread: its worker.
class McpModule final : public Module, private PartNotes {
 public:
  McpModule(const McpSettings& settings, PoolState& state, const ModuleServices& services);

  Verdict on_request(Exchange& exchange) override;
  Verdict on_select(Exchange& exchange, Candidates& candidates) override;
  Verdict on_response(Exchange& exchange) override;
  void on_done(const Exchange& exchange) noexcept override;
  void on_left(const Exchange& exchange) noexcept override;
  void on_tick(Instant now) override;

 private:
  /// What is remembered of one exchange, from request to done.
  struct Note {
    Part* part = nullptr;        ///< whose it is; null: of the session era
    bool names_session = false;  ///< in that era: no part is shown it
    std::unique_ptr<PartNote> of_part;
    std::optional<SessionTurn> turn;
  };

  [[nodiscard]] PartNote* note_of(const Exchange& exchange) const noexcept override;
  void leave_note(Exchange& exchange, std::unique_ptr<PartNote> note) override;
  [[nodiscard]] Note* held(const Exchange& exchange) const noexcept {
    return static_cast<Note*>(exchange.notes[slot_]);
  }
  [[nodiscard]] Note& note(Exchange& exchange);
  /// Whether a part has taken the exchange.
  [[nodiscard]] bool is_taken(Exchange& exchange);

  std::size_t slot_;
  Numbers numbers_;
  std::unique_ptr<SharedStore> shared_;
  std::unique_ptr<LetterBox> letters_;
  Farewells farewells_;
  Desk desk_;
  Caretaker caretaker_;
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace limpet::mcp
