// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/response_writer.h"

#include <algorithm>

#include "daemon/base/hash.h"
#include "daemon/base/text.h"
#include "modules/affinity/claim_reader.h"
#include "modules/affinity/cookie_tokens.h"

namespace limpet::affinity {

namespace {

// The side that the user's browser is on, of which a trusted proxy knows more than the connection.
Channel channel_of(const Exchange& exchange) noexcept {
  if (exchange.client.is_secure) return Channel::kSecure;
  if (!exchange.client.is_trusted) return Channel::kPlain;
  std::string_view schemes = exchange.request.fields.value(FieldName::kXForwardedProto);
  const std::string_view first = text::trim(text::cut(schemes, ','));
  return text::equals_ignoring_case(first, "https") ? Channel::kSecure : Channel::kPlain;
}

// limpet's own answers hold nothing of a replica's.
bool is_own_answer(const Exchange& exchange) noexcept {
  return exchange.answer.status != 0 || exchange.replica == nullptr;
}

bool is_true(std::string_view value) noexcept {
  return text::equals_ignoring_case(text::trim(value), "true");
}

AppWish wish_of(std::string_view value) noexcept {
  value = text::trim(value);
  if (text::equals_ignoring_case(value, "keep")) return AppWish::kKeep;
  if (text::equals_ignoring_case(value, "end")) return AppWish::kEnd;
  if (text::equals_ignoring_case(value, "may-move")) return AppWish::kMayMove;
  return AppWish::kNone;
}

// Whether the response is one to set a new cookie on: a first placement, a move, or a hash that a
// cookie shall make last.
bool is_placement(const Exchange& exchange, const ExchangeState& state) noexcept {
  return state.claim == Claim::kNothing || state.claim == Claim::kKey ||
         exchange.affinity.outcome == Outcome::kMoved;
}

}  // namespace

void ResponseWriter::write(Exchange& exchange, ExchangeState* state) {
  HeaderList& fields = exchange.response->fields;
  if (is_own_answer(exchange)) {
    if (exchange.affinity.outcome == Outcome::kNew) exchange.affinity.outcome = Outcome::kNone;
    if (state != nullptr && state->is_cookie_over) end_cookie(exchange, *state);
  } else {
    const AppWish wish = take_wish(fields);
    if (fields.may_have(FieldName::kLimpetIncarnation))
      learn_incarnation(fields, *exchange.replica);
    if (state != nullptr) {
      const bool was_new = exchange.affinity.outcome == Outcome::kNew;
      if (was_new) exchange.affinity.outcome = Outcome::kNone;  // until something is minted
      if (settings_.has_sessions) wrap_sessions(exchange, *state);
      if (settings_.cookie) write_cookie(exchange, *state, wish);
    }
  }
  if (settings_.is_shown) show(exchange);
}

// Most responses hold none of them.
inline AppWish ResponseWriter::take_wish(HeaderList& fields) const {
  constexpr std::uint64_t kNames = HeaderList::bit(FieldName::kArrDisableSessionAffinity) |
                                   HeaderList::bit(FieldName::kLimpetAffinity);
  return fields.may_have_any(kNames) ? take_some_wish(fields) : AppWish::kNone;
}

AppWish ResponseWriter::take_some_wish(HeaderList& fields) const {
  AppWish wish = AppWish::kNone;
  if (settings_.is_arr_compatible && fields.may_have(FieldName::kArrDisableSessionAffinity)) {
    if (is_true(fields.value(FieldName::kArrDisableSessionAffinity))) wish = AppWish::kKeep;
    fields.remove(FieldName::kArrDisableSessionAffinity);
  }
  if (fields.may_have(FieldName::kLimpetAffinity)) {
    const AppWish own = wish_of(fields.value(FieldName::kLimpetAffinity));
    if (own != AppWish::kNone) wish = own;
    fields.remove(FieldName::kLimpetAffinity);
  }
  return wish;
}

void ResponseWriter::learn_incarnation(HeaderList& fields, const Replica& replica) const {
  const std::string_view reported = text::trim(fields.value(FieldName::kLimpetIncarnation));
  fields.remove(FieldName::kLimpetIncarnation);
  if (reported.empty()) return;
  std::atomic<std::uint64_t>& known = replica.vitals->incarnation;
  const std::uint64_t hash = stable_hash(reported);
  if (known.load(std::memory_order_relaxed) != hash) known.store(hash, std::memory_order_relaxed);
}

std::string_view ResponseWriter::seal(Exchange& exchange, const TokenFacts& facts) {
  char* place = exchange.arena.allocate_text(kTokenLetters);
  if (!box_.seal(facts, Purpose::kCookie, {}, place)) return {};
  return {place, kTokenLetters};
}

// A session keeps the id that the client knows for its whole life: clients compare, and some take a
// new one from any response.
void ResponseWriter::wrap_sessions(Exchange& exchange, const ExchangeState& state) {
  HeaderList& fields = exchange.response->fields;
  SessionFacts& session = exchange.session;
  const bool is_held = state.is_session() && state.claim == Claim::kToken &&
                       (session.is_carried || exchange.affinity.outcome != Outcome::kMoved);
  if (session.is_carried && exchange.affinity.outcome == Outcome::kMoved) {
    note_end(exchange, state);
    note_session(SessionKind::kId, *exchange.replica, state.facts.last_seen, +1);
  }
  if (is_held && exchange.request.method == Method::kDelete &&
      exchange.response->status / 100 == 2) {
    if (session.is_carried)
      note_session(SessionKind::kId, *exchange.replica, state.facts.last_seen, -1);
    else
      note_end(exchange, state);
  }
  if (!fields.may_have(FieldName::kMcpSessionId)) return;
  for (Field& field : fields.fields()) {
    if (field.id != FieldName::kMcpSessionId || field.is_removed() || field.value().empty())
      continue;
    std::string_view wrapped = state.session_id;
    if (!is_held || field.value() != session.original_id) {
      wrapped = settings_.is_learning ? field.value() : sealer_.seal(exchange, field.value());
      if (settings_.is_learning) sealer_.count(*exchange.replica);
      if (wrapped.empty()) continue;
      session = {.client_id = wrapped, .original_id = field.value()};
      if (exchange.affinity.outcome == Outcome::kNone) exchange.affinity.outcome = Outcome::kNew;
    }
    fields.replace(field, wrapped);
  }
}

void ResponseWriter::write_cookie(Exchange& exchange, ExchangeState& state, AppWish wish) {
  const bool has_cookie_token = state.claim == Claim::kToken && !state.is_session();
  if (wish == AppWish::kKeep) return;
  if (wish != AppWish::kNone) {
    if (state.sent_cookie) end_cookie(exchange, state);
    if (has_cookie_token) note_end(exchange, state);
    return;
  }
  if (state.is_session()) return;
  if (is_placement(exchange, state)) {
    // A response that opens an MCP session needs no cookie beside its id.
    const bool opens_session =
        settings_.has_sessions && exchange.response->fields.may_have(FieldName::kMcpSessionId);
    if (state.may_set_cookie && !opens_session) set_new_cookie(exchange, state);
  } else if (has_cookie_token && settings_.rules.idle != kForever &&
             settings_.rules.bucket_start(worker_.wall_now()) > state.facts.last_seen) {
    renew_cookie(exchange, state);
  }
}

void ResponseWriter::set_new_cookie(Exchange& exchange, const ExchangeState& state) {
  const Replica& replica = *exchange.replica;
  if (exchange.affinity.outcome == Outcome::kNone) exchange.affinity.outcome = Outcome::kNew;
  ConnectionMemory& memory = ClaimReader::memory_of(exchange.client, plan_.serial());
  const std::uint64_t mark = replica_mark(replica.id);
  const std::uint32_t index = table_.index_of(mark);
  if (state.is_in_burst && !memory.burst_token.empty() && memory.burst_replica == index) {
    return add_cookie(exchange, state, memory.burst_token);
  }
  const TokenFacts facts = facts_for(replica, mark, settings_.rules, worker_.wall_now());
  const std::string_view token = seal(exchange, facts);
  if (token.empty()) return;
  if (state.claim == Claim::kToken) note_end(exchange, state);
  note_session(SessionKind::kCookie, replica, facts.last_seen, +1);
  memory.remember(Purpose::kCookie, token, facts, index);
  if (state.is_in_burst && !memory.is_burst_over) {
    memory.is_burst_over = true;
    memory.burst_token = token;
    memory.burst_replica = index;
  }
  add_cookie(exchange, state, token);
}

void ResponseWriter::renew_cookie(Exchange& exchange, const ExchangeState& state) {
  const Replica& replica = *exchange.replica;
  TokenFacts facts = state.facts;
  facts.last_seen = settings_.rules.bucket_start(worker_.wall_now());
  const std::uint32_t reported =
      incarnation_mark(replica.vitals->incarnation.load(std::memory_order_relaxed));
  if (facts.incarnation == 0) facts.incarnation = reported;
  const std::string_view token = seal(exchange, facts);
  if (token.empty()) return;
  note_end(exchange, state);
  note_session(SessionKind::kCookie, replica, facts.last_seen, +1);
  ClaimReader::memory_of(exchange.client, plan_.serial())
      .remember(Purpose::kCookie, token, facts, state.replica);
  add_cookie(exchange, state, token);
}

void ResponseWriter::add_cookie(Exchange& exchange, const ExchangeState& state,
                                std::string_view token) {
  set_cookie(exchange, with_other_tokens(exchange.arena, box_, settings_.rules.pool, token,
                                         state.cookie_text));
}

// What other pools have in the cookie stays, unless it is what was refused.
void ResponseWriter::end_cookie(Exchange& exchange, const ExchangeState& state) {
  const bool is_refused = state.is_cookie_over && exchange.affinity.cause == Cause::kForeign;
  set_cookie(exchange, is_refused ? std::string_view{}
                                  : with_other_tokens(exchange.arena, box_, settings_.rules.pool,
                                                      {}, state.cookie_text));
}

void ResponseWriter::set_cookie(Exchange& exchange, std::string_view value) {
  HeaderList& fields = exchange.response->fields;
  const Channel channel = channel_of(exchange);
  for (const CookieForm* form : {settings_.cookie ? &*settings_.cookie : nullptr,
                                 settings_.twin_cookie ? &*settings_.twin_cookie : nullptr}) {
    if (form == nullptr) continue;
    // The text in a connection's memory may change before the response is written; the composed
    // ones are the arena's.
    fields.add(FieldName::kSetCookie, value.empty()
                                          ? form->deletion(exchange.arena, channel)
                                          : form->setting(exchange.arena, value, channel));
  }
  keep_from_shared_caches(fields);
}

void ResponseWriter::show(Exchange& exchange) const {
  const AffinityFacts& facts = exchange.affinity;
  Arena& arena = exchange.arena;
  std::string_view text = name_of(facts.outcome);
  if (facts.cause != Cause::kNone) text = arena.join(text, "; cause=", name_of(facts.cause));
  if (!is_own_answer(exchange)) text = arena.join(text, "; replica=", exchange.replica->id);
  exchange.response->fields.add(FieldName::kOther, "limpet-affinity-outcome", text);
}

// A cell of the ledger is used again every kBuckets buckets: a session older than that is in no
// count any more.
void ResponseWriter::note_session(SessionKind kind, const Replica& replica, WallSeconds last_seen,
                                  std::int32_t change) const noexcept {
  const std::uint32_t now = session_bucket(worker_.wall_now());
  const std::uint32_t bucket = std::min(now, session_bucket(last_seen));
  if (now - bucket >= SessionLedger::kBuckets) return;
  replica.vitals->share(worker_.worker()).note_session(kind, bucket, change);
}

void ResponseWriter::note_end(const Exchange& exchange, const ExchangeState& state) const noexcept {
  if (state.facts.pool != settings_.rules.pool || state.replica >= exchange.pool->replicas.size())
    return;
  note_session(state.is_session() ? SessionKind::kId : SessionKind::kCookie,
               exchange.pool->replicas[state.replica], state.facts.last_seen, -1);
}

}  // namespace limpet::affinity
