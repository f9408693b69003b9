// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/mcp_module.h"

#include <algorithm>
#include <utility>

#include "daemon/http/mcp_head.h"

namespace limpet::mcp {

namespace {

// A record in Redis outlives the sessions of this process that nobody uses.
constexpr std::chrono::hours kRecordTimeMin{24};

std::unique_ptr<SharedStore> make_shared_store(const McpSettings& settings,
                                               const ModuleServices& services, Numbers& numbers) {
  if (!settings.store || services.worker.watches() == nullptr) return nullptr;
  SharedStore::Settings made;
  made.address = *settings.store;
  made.bounds.answer_within = settings.store_timeout;
  made.record_time = kRecordTimeMin;
  if (settings.session_idle != kForever) {
    made.record_time = std::max<std::chrono::seconds>(
        made.record_time,
        4 * std::chrono::duration_cast<std::chrono::seconds>(settings.session_idle));
  }
  made.tombstone_time =
      std::max(std::chrono::seconds(1),
               std::chrono::duration_cast<std::chrono::seconds>(settings.bounds.tombstone_time));
  return std::make_unique<SharedStore>(std::move(made), services.pool->name,
                                       *services.worker.watches(), numbers.redis());
}

std::unique_ptr<LetterBox> make_letter_box(const ModuleServices& services) {
  if (services.worker.watches() == nullptr) return nullptr;
  return std::make_unique<LetterBox>(*services.worker.watches());
}

}  // namespace

McpModule::McpModule(const McpSettings& settings, PoolState& state, const ModuleServices& services)
    : slot_(services.slot),
      numbers_(services.worker.metrics(), services.pool->name),
      shared_(make_shared_store(settings, services, numbers_)),
      letters_(make_letter_box(services)),
      desk_{settings,
            state,
            *services.pool,
            services.worker,
            state.hands_of(services.worker.worker()),
            numbers_,
            farewells_,
            shared_.get(),
            letters_.get()},
      caretaker_(desk_),
      parts_(make_parts({settings, state, services, *this, numbers_, nullptr})) {}

McpModule::Note& McpModule::note(Exchange& exchange) {
  void*& place = exchange.notes[slot_];
  if (place == nullptr) place = new Note;  // freed in on_done, which every exchange has
  return *static_cast<Note*>(place);
}

PartNote* McpModule::note_of(const Exchange& exchange) const noexcept {
  const Note* found = held(exchange);
  return found == nullptr ? nullptr : found->of_part.get();
}

void McpModule::leave_note(Exchange& exchange, std::unique_ptr<PartNote> left) {
  note(exchange).of_part = std::move(left);
}

bool McpModule::is_taken(Exchange& exchange) {
  for (const auto& part : parts_) {
    if (part->on_request(exchange) == Taking::kNotMine) continue;
    note(exchange).part = part.get();
    return true;
  }
  return false;
}

Verdict McpModule::on_request(Exchange& exchange) {
  const RequestHead& request = exchange.request;
  const bool names_session =
      request.fields.find(FieldName::kMcpSessionId) != nullptr && era_of(request) == Era::kSession;
  if (!names_session && (is_taken(exchange) || !is_mcp_request(request))) return Verdict::kNext;
  Note& made = note(exchange);
  made.names_session = names_session;
  made.turn.emplace(desk_, exchange).on_request();
  return Verdict::kNext;
}

Verdict McpModule::on_select(Exchange& exchange, Candidates& candidates) {
  const Note* found = held(exchange);
  if (found != nullptr) {
    if (found->names_session) return Verdict::kNext;
    if (found->part != nullptr) return found->part->on_select(exchange, candidates);
  }
  for (const auto& part : parts_)
    part->on_foreign_select(exchange, candidates);
  return Verdict::kNext;
}

Verdict McpModule::on_response(Exchange& exchange) {
  Note* found = held(exchange);
  if (found != nullptr && found->part != nullptr) {
    found->part->on_response(exchange);
    return Verdict::kNext;
  }
  if (found != nullptr && found->turn) found->turn->on_response();
  if (found != nullptr && found->names_session) return Verdict::kNext;
  for (const auto& part : parts_)
    part->on_foreign_response(exchange);
  return Verdict::kNext;
}

void McpModule::on_done(const Exchange& exchange) noexcept {
  const std::unique_ptr<Note> found(held(exchange));
  if (found == nullptr) return;
  numbers_.note_request(found->part != nullptr ? found->part->era() : ClientEra::kSession,
                        exchange.replica);
  if (found->part != nullptr) found->part->on_done(exchange);
  if (found->turn) found->turn->on_done();
}

void McpModule::on_left(const Exchange& exchange) noexcept {
  const std::unique_ptr<Note> found(held(exchange));
  if (found != nullptr && found->turn) found->turn->on_done();
}

void McpModule::on_tick(Instant now) {
  caretaker_.on_tick(now);
  desk_.hands.doubts.on_tick(now);
  for (const auto& part : parts_)
    part->on_tick(now);
}

}  // namespace limpet::mcp
