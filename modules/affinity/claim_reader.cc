// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/claim_reader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/http/cookie.h"
#include "daemon/http/mcp_head.h"
#include "modules/affinity/cookie_tokens.h"

namespace limpet::affinity {

namespace {

// Connections keep affinity's note under this address and not the plan's, which a later plan may
// come to have.
constexpr char kNoteOwner = 0;

ConnectionMemory* held_memory(const ClientFacts& client) noexcept {
  return static_cast<ConnectionMemory*>(client.note_of(&kNoteOwner));
}

// A POST of MCP's streamable HTTP must accept both; nothing else of the web does.
bool accepts_json_and_events(const HeaderList& fields) noexcept {
  const std::string_view accept = fields.value(FieldName::kAccept);
  return accept.find("text/event-stream") != std::string_view::npos &&
         accept.find("application/json") != std::string_view::npos;
}

Field* only_cookie_field(HeaderList& fields) noexcept {
  Field* only = nullptr;
  for (Field& field : fields.fields()) {
    if (field.id != FieldName::kCookie || field.is_removed()) continue;
    if (only != nullptr) return nullptr;
    only = &field;
  }
  return only;
}

std::string_view unquoted(std::string_view value) noexcept {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return value;
  return value.substr(1, value.size() - 2);
}

// The one Mcp-Session-Id of a request. Two are as none that could be trusted.
struct SessionField {
  Field* field = nullptr;
  bool is_repeated = false;
};
SessionField session_field(HeaderList& fields) noexcept {
  SessionField found;
  if (!fields.may_have(FieldName::kMcpSessionId)) return found;
  for (Field& field : fields.fields()) {
    if (field.id != FieldName::kMcpSessionId || field.is_removed()) continue;
    found.is_repeated = found.field != nullptr;
    found.field = &field;
    if (found.is_repeated) break;
  }
  return found;
}

}  // namespace

bool is_mcp_request(const RequestHead& request) noexcept {
  const HeaderList& fields = request.fields;
  if (fields.find(FieldName::kMcpSessionId) != nullptr ||
      fields.find(FieldName::kMcpProtocolVersion) != nullptr ||
      fields.find(FieldName::kMcpMethod) != nullptr) {
    return true;
  }
  return request.method == Method::kPost && accepts_json_and_events(fields);
}

ClaimReader::ClaimReader(const AffinityPlan& plan, TokenBox& box, const ReplicaTable& table,
                         Sealer& sealer) noexcept
    : plan_(plan),
      settings_(plan.settings()),
      box_(box),
      table_(table),
      sealer_(sealer),
      is_cookie_first_(!settings_.sources.empty() &&
                       settings_.sources.front().kind == Source::Kind::kCookie &&
                       !settings_.has_sessions) {}

ConnectionMemory& ClaimReader::memory_of(ClientFacts& client, std::uint64_t plan) {
  ConnectionMemory* memory = held_memory(client);
  if (memory == nullptr) {
    auto made = std::make_unique<ConnectionMemory>();
    memory = made.get();
    client.leave_note(&kNoteOwner, std::move(made));
  }
  if (memory->plan != plan) memory->begin_anew(plan);
  return *memory;
}

void ClaimReader::leave_burst(const Exchange& exchange, std::uint64_t plan) noexcept {
  ConnectionMemory* memory = held_memory(exchange.client);
  if (memory == nullptr || memory->plan != plan) return;
  if (memory->leader == &exchange) {
    memory->leader = nullptr;
    // Without a cookie set, nothing ties the next requests to this one.
    if (!memory->is_burst_over) memory->burst_replica = kNoReplica;
  }
  if (memory->burst_open > 0) --memory->burst_open;
  if (memory->burst_open == 0) memory->burst_token = std::string();
}

// Browsers send the same Cookie field again and again on a connection, and the same octets mean the
// same.
bool ClaimReader::read_known_field(Exchange& exchange, ExchangeState& state, Field& field) const {
  const ConnectionMemory* held = held_memory(exchange.client);
  if (held == nullptr || held->plan != plan_.serial()) return false;
  const std::string_view all = field.value();
  if (all.empty() || !text::equals(all, held->cookie_field)) [[unlikely]]
    return false;
  state.claim = Claim::kToken;
  state.source = settings_.sources.data();
  state.sent_cookie = true;
  state.may_set_cookie = true;
  state.facts = held->facts;
  state.replica = held->replica;
  state.cookie_text = all;
  if (held->cut_bytes == 0) return true;
  // Mostly there is nothing else in it.
  if (held->cut_bytes == all.size()) [[likely]] {
    exchange.request.fields.remove(field);
  } else {
    cut(exchange, field, *held);
  }
  return true;
}

void ClaimReader::cut(Exchange& exchange, Field& field, const ConnectionMemory& held) {
  const std::string_view all = field.value();
  const std::string_view before = all.substr(0, held.cut_begin);
  const std::string_view behind = all.substr(held.cut_begin + held.cut_bytes);
  exchange.request.fields.replace(field,
                                  behind.empty() ? before : exchange.arena.join(before, behind));
}

void ClaimReader::note_field(Exchange& exchange, std::string_view before,
                             const Field& after) const {
  ConnectionMemory* memory = held_memory(exchange.client);
  if (memory == nullptr || before.size() > ConnectionMemory::kCookieFieldMax) return;
  const std::string_view rest = after.is_removed() ? std::string_view{} : after.value();
  const std::size_t begin = static_cast<std::size_t>(
      std::mismatch(rest.begin(), rest.end(), before.begin(), before.end()).first - rest.begin());
  const std::size_t bytes = before.size() - rest.size();
  if (before.substr(begin + bytes) != rest.substr(begin)) return;  // taken out of two places
  memory->cookie_field = before;
  memory->cut_begin = static_cast<std::uint32_t>(begin);
  memory->cut_bytes = static_cast<std::uint32_t>(bytes);
}

void ClaimReader::read(Exchange& exchange, ExchangeState& state) {
  HeaderList& fields = exchange.request.fields;
  const bool may_have_cookies = settings_.cookie.has_value() && fields.may_have(FieldName::kCookie);
  Field* field = may_have_cookies && is_cookie_first_ ? only_cookie_field(fields) : nullptr;
  if (field != nullptr && read_known_field(exchange, state, *field)) [[likely]]
    return;
  read_anew(exchange, state, field);
}

void ClaimReader::read_anew(Exchange& exchange, ExchangeState& state, const Field* field) {
  const std::string_view sent = field == nullptr ? std::string_view{} : field->value();

  if (settings_.has_sessions && !settings_.is_learning) exchange.sealer = &sealer_;
  const bool is_mcp = settings_.has_sessions && is_mcp_request(exchange.request);
  for (const Source& source : settings_.sources) {
    if (source.kind == Source::Kind::kCookie) state.may_set_cookie = !is_mcp;
    if (read_source(exchange, state, source)) {
      state.source = &source;
      break;
    }
  }
  if (settings_.cookie && exchange.request.fields.may_have(FieldName::kCookie))
    strip_cookies(exchange, state);
  if (field != nullptr && state.claim == Claim::kToken) note_field(exchange, sent, *field);
}

void ClaimReader::strip_cookies(Exchange& exchange, ExchangeState& state) const {
  for (const CookieForm* form : {settings_.cookie ? &*settings_.cookie : nullptr,
                                 settings_.twin_cookie ? &*settings_.twin_cookie : nullptr}) {
    if (form == nullptr) continue;
    HeaderList& fields = exchange.request.fields;
    state.sent_cookie |= settings_.is_stripped
                             ? remove_cookie(fields, form->name()) > 0
                             : CookieScan(fields, form->name()).next().has_value();
  }
}

bool ClaimReader::read_source(Exchange& exchange, ExchangeState& state, const Source& source) {
  switch (source.kind) {
    case Source::Kind::kSession:
      return read_session(exchange, state);
    case Source::Kind::kCookie:
      return read_cookies(exchange, state, *settings_.cookie) ||
             (settings_.twin_cookie && read_cookies(exchange, state, *settings_.twin_cookie)) ||
             state.claim == Claim::kUnreadable;
    default: {
      const std::optional<std::uint64_t> key = key_in(source, exchange);
      if (!key) return false;
      state.claim = Claim::kKey;
      state.key = *key;
      return true;
    }
  }
}

bool ClaimReader::read_session(Exchange& exchange, ExchangeState& state) {
  const SessionField found = session_field(exchange.request.fields);
  if (found.field == nullptr) return read_query_session(exchange, state);
  state.claim = Claim::kUnreadable;
  if (found.is_repeated || !take_session(exchange, state, found.field->value())) return true;
  exchange.request.fields.replace(*found.field, state.original_id);
  return true;
}

// Legacy HTTP+SSE (2024-11-05) posts to a URI that its replica made, with the id in the query. Only
// a body of JSON makes a value that leads nowhere one of a lost session: other apps have parameters
// of that name.
bool ClaimReader::read_query_session(Exchange& exchange, ExchangeState& state) {
  RequestHead& request = exchange.request;
  if (request.method != Method::kPost || request.query.empty()) return false;
  const QueryValue at = find_session_id_in_query(request.query);
  if (at.bytes == 0) return false;
  if (!take_session(exchange, state, request.query.substr(at.begin, at.bytes))) {
    if (state.claim == Claim::kUnreadable) return true;
    const std::string_view type = text::trim(request.fields.value(FieldName::kContentType));
    if (!text::starts_with_ignoring_case(type, "application/json")) return false;
    state.claim = Claim::kUnreadable;
    return true;
  }
  const std::string_view before = request.query.substr(0, at.begin);
  const std::string_view behind = request.query.substr(at.begin + at.bytes);
  request.target = exchange.arena.join(request.path, "?", before, state.original_id, behind);
  request.path = request.target.substr(0, request.path.size());
  request.query = request.target.substr(request.path.size() + 1);
  return true;
}

bool ClaimReader::take_session(Exchange& exchange, ExchangeState& state, std::string_view id) {
  if (settings_.is_learning ? !take_learned(exchange, state, id)
                            : !take_wrapped(exchange, state, id))
    return false;
  state.session_id = id;
  return true;
}

bool ClaimReader::take_wrapped(Exchange& exchange, ExchangeState& state, std::string_view id) {
  // token - original
  if (id.size() < kTokenLetters + 2 || id[kTokenLetters] != '-') return false;
  const std::string_view token = id.substr(0, kTokenLetters);
  const std::string_view original = id.substr(kTokenLetters + 1);
  const std::string_view bound = bound_text(exchange, settings_.binding.rule(), original);
  // What the connection remembers holds for the same principal only.
  const bool is_bound = bound.size() > original.size();
  const std::string_view whole = is_bound ? exchange.arena.join(token, "-", bound) : id;
  if (!open(exchange, state, {Purpose::kSession, whole, token, bound})) return false;
  state.original_id = original;
  return true;
}

// An id that says nothing by itself: whoever keeps the sessions knows where it lives. What is not
// found any more is as what was sealed for a replica that is gone, since it may be carried over.
bool ClaimReader::take_learned(Exchange& exchange, ExchangeState& state, std::string_view id) {
  if (exchange.carrier == nullptr) return false;
  const std::string_view whole = bound_text(exchange, settings_.binding.rule(), id);
  state.original_id = id;
  if (recall(exchange, state, Purpose::kSession, whole)) return true;
  const SessionCarrier::Place place = exchange.carrier->find(exchange, id);
  // Of a session it is, whatever the request looks like.
  if (place.kind == SessionCarrier::Kind::kEnded) state.claim = Claim::kUnreadable;
  if (place.kind == SessionCarrier::Kind::kEnded || place.kind == SessionCarrier::Kind::kUnknown)
    return false;
  state.claim = Claim::kToken;
  state.facts.pool = settings_.rules.pool;
  if (place.kind != SessionCarrier::Kind::kMoved || place.replica == nullptr) return true;
  state.facts = sealer_.facts_of(*place.replica);
  state.replica = table_.index_of(state.facts.replica);
  state.original_id = place.original_id;
  if (place.original_id == id) {
    memory_of(exchange.client, plan_.serial())
        .remember(Purpose::kSession, whole, state.facts, state.replica);
  }
  return true;
}

// Of several cookies the first that verifies counts: a browser may hold a partitioned and an
// unpartitioned one. A token of another pool counts only where there is none of this one. Where
// none verifies, something of limpet's name was sent all the same.
bool ClaimReader::read_cookies(Exchange& exchange, ExchangeState& state, const CookieForm& form) {
  // An MCP request without a session id opens a session, or needs none: a cookie of earlier days
  // must not place it.
  if (settings_.has_sessions && exchange.request.method == Method::kPost &&
      is_mcp_request(exchange.request))
    return false;
  CookieScan cookies(exchange.request.fields, form.name());
  bool is_foreign = false;
  while (const std::optional<std::string_view> value = cookies.next()) {
    CookieTokens tokens(unquoted(*value));
    while (const std::optional<std::string_view> token = tokens.next()) {
      if (!open(exchange, state, {Purpose::kCookie, *token, *token, {}})) continue;
      state.cookie_text = tokens.all();
      if (state.facts.pool == settings_.rules.pool) return true;
      is_foreign = true;
    }
    if (!is_foreign) state.claim = Claim::kUnreadable;
  }
  return is_foreign;
}

bool ClaimReader::recall(const Exchange& exchange, ExchangeState& state, Purpose purpose,
                         std::string_view whole) const {
  const ConnectionMemory* held = held_memory(exchange.client);
  if (held == nullptr || !held->holds(plan_.serial(), purpose, whole)) return false;
  state.facts = held->facts;
  state.replica = held->replica;
  state.claim = Claim::kToken;
  return true;
}

bool ClaimReader::open(Exchange& exchange, ExchangeState& state, const Sent& sent) {
  if (recall(exchange, state, sent.purpose, sent.whole)) return true;
  if (box_.open(sent.token, sent.purpose, sent.bound, state.facts) != Opening::kOpened)
    return false;
  state.replica = table_.index_of(state.facts.replica);
  state.claim = Claim::kToken;
  memory_of(exchange.client, plan_.serial())
      .remember(sent.purpose, sent.whole, state.facts, state.replica);
  return true;
}

}  // namespace limpet::affinity
