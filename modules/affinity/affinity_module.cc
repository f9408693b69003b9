// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/affinity_module.h"

#include <algorithm>
#include <span>
#include <string>

#include "modules/affinity/rpc_error.h"

namespace limpet::affinity {

namespace {

// Requests that wait for one pool's replicas at a time, beyond which they are answered 503.
constexpr std::uint32_t kWaitersMax = 1024;
constexpr std::chrono::seconds kRetryAfter{1};
constexpr Duration kLastMoment = std::chrono::milliseconds(1);

std::string_view detail_of(Cause cause) noexcept {
  switch (cause) {
    case Cause::kGone:
      return "The replica that held this session is gone.";
    case Cause::kDown:
      return "The replica that holds this session is not available.";
    case Cause::kFull:
      return "The replica that holds this session takes no more requests at the moment.";
    case Cause::kDraining:
      return "The replica that holds this session is being taken out of service.";
    case Cause::kExpired:
      return "This session has expired.";
    default:
      return "This request names a session that is not known here.";
  }
}

// Waiting helps where the replica may come back to this exchange: not after it failed on it, nor
// against an operator's "down".
bool may_come_back(const Candidates& candidates, const Replica& replica) noexcept {
  return candidates.standing(replica) != Standing::kTried &&
         replica.vitals->admin.load(std::memory_order_relaxed) != AdminState::kDown;
}

// Nothing will bring back what such a cookie stands for.
bool is_final(Cause cause) noexcept {
  return cause == Cause::kGone || cause == Cause::kExpired || cause == Cause::kInvalid ||
         cause == Cause::kForeign;
}

// Sessions are carried over where their replica is lost, and not where they ended by themselves.
bool is_loss(Cause cause) noexcept { return cause == Cause::kGone || cause == Cause::kDown; }

bool may_carry(const Exchange& exchange, const ExchangeState& state) noexcept {
  return exchange.carrier != nullptr && state.claim == Claim::kToken && state.is_session();
}

std::span<const Key> keys_of(const AffinitySettings& settings) noexcept {
  return settings.keys == nullptr ? std::span<const Key>{} : settings.keys->keys();
}

}  // namespace

AffinityModule::AffinityModule(const AffinityPlan& plan, const ModuleServices& services)
    : plan_(plan),
      settings_(plan.settings()),
      worker_(services.worker),
      slot_(services.slot),
      table_(*services.pool),
      box_(keys_of(settings_)),
      sealer_(settings_, box_, worker_),
      reader_(plan, box_, table_, sealer_),
      writer_(plan, box_, table_, sealer_, worker_) {}

ExchangeState& AffinityModule::state_of(Exchange& exchange) {
  void*& note = exchange.notes[slot_];
  if (note == nullptr) [[likely]] {
    auto* state = exchange.arena.make<ExchangeState>();
    reader_.read(exchange, *state);
    exchange.affinity.source = state->source == nullptr ? std::string_view{} : state->source->label;
    if (state->is_session() && state->claim == Claim::kToken) {
      exchange.session.client_id = state->session_id;
      exchange.session.original_id = state->original_id;
    }
    note = state;
  }
  return *static_cast<ExchangeState*>(note);
}

Verdict AffinityModule::on_select(Exchange& exchange, Candidates& candidates) {
  const Turn turn{candidates, state_of(exchange)};
  switch (turn.state.claim) {
    case Claim::kToken:
      return follow_token(turn);
    case Claim::kKey:
      return follow_key(turn);
    case Claim::kUnreadable:
      return settle(turn, Cause::kInvalid, nullptr);
    case Claim::kNothing:
      return place_first(turn);
  }
  return Verdict::kNext;
}

Verdict AffinityModule::follow_token(Turn turn) {
  const TokenFacts& facts = turn.state.facts;
  const Cause of_token = judge_token(facts, settings_.rules, worker_.wall_now());
  if (of_token != Cause::kNone) return settle(turn, of_token, nullptr);
  if (turn.state.replica >= turn.candidates.size() || turn.exchange().session.is_lost)
    return settle(turn, Cause::kGone, nullptr);
  const Replica& replica = turn.candidates.at(turn.state.replica);
  if (settings_.rules.is_strict && is_other_life(facts, *replica.vitals))
    return settle(turn, Cause::kGone, nullptr);
  const Cause of_replica = judge_replica(turn.candidates, turn.exchange(), replica);
  if (of_replica == Cause::kDraining && may_carry(turn.exchange(), turn.state) &&
      turn.exchange().carrier->shall_leave(replica))
    return carry(turn, of_replica, &replica);
  if (of_replica != Cause::kNone) return settle(turn, of_replica, &replica);
  return choose(turn, replica, Outcome::kHit, Cause::kNone);
}

// Once more at most: a session that was lost on the way is looked for at no other place.
Verdict AffinityModule::carry(Turn turn, Cause cause,  // NOLINT(misc-no-recursion)
                              const Replica* home) {
  Exchange& exchange = turn.exchange();
  const SessionCarrier::Place place = exchange.carrier->find(exchange, turn.state.session_id);
  switch (place.kind) {
    case SessionCarrier::Kind::kMoved:
      return follow_moved(turn, place);
    case SessionCarrier::Kind::kCarry:
      exchange.affinity.outcome = Outcome::kMoved;
      exchange.affinity.cause = cause;
      return Verdict::kNext;  // balance places it
    case SessionCarrier::Kind::kEnded:
    case SessionCarrier::Kind::kUnknown:
      break;
  }
  if (home != nullptr) {
    exchange.session.is_lost = false;
    return choose(turn, *home, Outcome::kHit, cause);
  }
  return end(turn, cause, settings_.policy_for(cause, turn.state.source->kind));
}

Verdict AffinityModule::follow_moved(Turn turn,  // NOLINT(misc-no-recursion)
                                     const SessionCarrier::Place& place) {
  Exchange& exchange = turn.exchange();
  exchange.session.original_id = place.original_id;
  exchange.session.is_carried = true;
  exchange.request.fields.set(FieldName::kMcpSessionId, place.original_id);
  const Replica& replica = *place.replica;
  const Cause cause = judge_replica(turn.candidates, exchange, replica);
  if (cause == Cause::kNone) return choose(turn, replica, Outcome::kHit, cause);
  if (cause == Cause::kDraining) {
    if (exchange.carrier->shall_leave(replica)) return carry(turn, cause, &replica);
    return choose(turn, replica, Outcome::kHit, cause);
  }
  const Policy& policy = settings_.policy_for(cause, turn.state.source->kind);
  if (wait(turn, cause, replica, policy.wait)) return Verdict::kSettled;
  if (cause == Cause::kFull) return end(turn, cause, policy);
  // Lost once more: whoever carries it over does not name the same place again.
  exchange.session.is_lost = true;
  return carry(turn, cause, nullptr);
}

Verdict AffinityModule::follow_key(Turn turn) {
  const Candidates& candidates = turn.candidates;
  const std::uint32_t owner = table_.first_of(turn.state.key, [&](std::uint32_t i) {
    return i < candidates.size() && candidates.is_fit(candidates.at(i));
  });
  if (owner == kNoReplica) return Verdict::kNext;
  const Replica& replica = candidates.at(owner);
  const Cause cause = judge_replica(candidates, turn.exchange(), replica);
  if (cause != Cause::kNone) return settle(turn, cause, &replica);
  if (turn.state.source->kind == Source::Kind::kPrincipal) {
    // Somebody's requests are together for the sake of warm caches, not because one replica alone
    // could answer them: those that are too many go on to the next.
    const std::uint32_t taker = table_.first_with_room(turn.state.key, candidates);
    if (taker != owner && taker != kNoReplica)
      return choose(turn, candidates.at(taker), Outcome::kMoved, Cause::kFull);
  }
  return choose(turn, replica, Outcome::kHit, Cause::kNone);
}

Verdict AffinityModule::place_first(Turn turn) {
  ExchangeState& state = turn.state;
  turn.exchange().affinity.outcome =
      state.may_set_cookie || settings_.has_sessions ? Outcome::kNew : Outcome::kNone;
  turn.exchange().affinity.cause = Cause::kNone;
  if (!state.may_set_cookie || turn.exchange().client.is_trusted) return Verdict::kNext;

  ConnectionMemory& memory = ClaimReader::memory_of(turn.exchange().client, plan_.serial());
  if (!state.is_in_burst) {
    if (memory.is_burst_over) return Verdict::kNext;
    state.is_in_burst = true;
    ++memory.burst_open;
  }
  if (memory.leader != nullptr && memory.leader->replica != nullptr) {
    memory.burst_replica = memory.leader->replica->index;
  }
  const bool is_leading = memory.leader == nullptr && memory.burst_replica == kNoReplica;
  if (is_leading) memory.leader = &turn.exchange();
  if (memory.leader == &turn.exchange() || memory.burst_replica >= turn.candidates.size())
    return Verdict::kNext;
  const Replica& replica = turn.candidates.at(memory.burst_replica);
  if (turn.candidates.standing(replica) != Standing::kReady) return Verdict::kNext;
  return choose(turn, replica, Outcome::kNew, Cause::kNone);
}

Verdict AffinityModule::settle(Turn turn, Cause cause, const Replica* replica) {
  const Policy& policy = settings_.policy_for(cause, turn.state.source->kind);
  if (replica != nullptr && wait(turn, cause, *replica, policy.wait)) return Verdict::kSettled;
  if (policy.is_carried_if_possible && is_loss(cause) && may_carry(turn.exchange(), turn.state))
    return carry(turn, cause, nullptr);
  if (policy.then == Measure::kKeep && replica != nullptr)
    return choose(turn, *replica, Outcome::kHit, cause);
  return end(turn, cause, policy);
}

Verdict AffinityModule::end(Turn turn, Cause cause, const Policy& policy) {
  switch (policy.then) {
    case Measure::kKeep:
    case Measure::kMove:
      return move(turn, cause);
    case Measure::kRefuse:
      refuse(turn, cause, policy.status);
      return Verdict::kSettled;
  }
  return Verdict::kNext;
}

bool AffinityModule::wait(Turn turn, Cause cause, const Replica& replica, Duration at_most) {
  ExchangeState& state = turn.state;
  // One wait an exchange: afterwards it may queue for any replica, and is asked again there.
  if (turn.exchange().is_waiting_over) state.is_wait_over = true;
  if (at_most <= Duration::zero() || state.is_wait_over) return false;
  if (cause == Cause::kGone || !may_come_back(turn.candidates, replica)) return false;
  if (!state.has_waited) {
    state.has_waited = true;
    state.wait_began = turn.candidates.now();
  }
  const bool is_same_wait = state.waited_for == Cause::kNone || state.waited_for == cause;
  state.waited_for = cause;
  const Duration left = at_most - (turn.candidates.now() - state.wait_began);
  // Asked at the very end of the wait, it leaves the end to the relay's timer: a wait in the pool's
  // queue that began before that would be taken for the one that ends then.
  if (left <= Duration::zero() && !is_same_wait) return false;
  turn.candidates.wait_for(&replica, std::max(left, kLastMoment), kWaitersMax);
  return true;
}

Verdict AffinityModule::move(Turn turn, Cause cause) {
  turn.exchange().affinity.outcome = Outcome::kMoved;
  turn.exchange().affinity.cause = cause;
  if (turn.state.claim != Claim::kKey) return Verdict::kNext;  // balance places it
  const Candidates& candidates = turn.candidates;
  const std::uint32_t next = table_.first_of(turn.state.key, [&](std::uint32_t i) {
    return i < candidates.size() && candidates.is_fit(candidates.at(i)) &&
           candidates.standing(candidates.at(i)) == Standing::kReady;
  });
  if (next == kNoReplica) return Verdict::kNext;
  return choose(turn, candidates.at(next), Outcome::kMoved, cause);
}

void AffinityModule::refuse(Turn turn, Cause cause, std::uint16_t status) {
  turn.exchange().affinity.outcome = Outcome::kRefused;
  turn.exchange().affinity.cause = cause;
  turn.state.is_cookie_over = is_final(cause) && turn.state.source->kind == Source::Kind::kCookie;
  Answer answer;
  answer.status = status;
  answer.detail = detail_of(cause);
  if (status == 503) answer.retry_after = kRetryAfter;
  if (status == 404 && turn.state.is_session()) {
    answer.make_body = session_not_found;
    answer.content_type = "application/json";
  }
  turn.candidates.refuse(answer);
}

Verdict AffinityModule::choose(Turn turn, const Replica& replica, Outcome outcome, Cause cause) {
  if (outcome == Outcome::kHit && turn.state.claim == Claim::kToken) {
    const SessionKind kind = turn.state.is_session() ? SessionKind::kId : SessionKind::kCookie;
    replica.vitals->share(worker_.worker()).note_hit(kind, session_bucket(worker_.wall_now()));
  }
  AffinityFacts& facts = turn.exchange().affinity;
  facts.outcome = outcome;
  facts.cause = cause;
  if (turn.state.has_waited && outcome == Outcome::kHit) {
    facts.outcome = Outcome::kWaited;
    facts.cause = turn.state.waited_for;
  }
  turn.candidates.choose(replica);
  return Verdict::kSettled;
}

Verdict AffinityModule::on_response(Exchange& exchange) {
  const std::uint16_t status = exchange.response->status;
  if (status < 200 && status != 101) return Verdict::kNext;  // the final one is still to come
  writer_.write(exchange, static_cast<ExchangeState*>(exchange.notes[slot_]));
  return Verdict::kNext;
}

void AffinityModule::on_done(const Exchange& exchange) noexcept {
  const auto* state = static_cast<const ExchangeState*>(exchange.notes[slot_]);
  if (state != nullptr && state->is_in_burst) ClaimReader::leave_burst(exchange, plan_.serial());
  count(exchange.affinity);
}

void AffinityModule::on_left(const Exchange& exchange) noexcept {
  const auto* state = static_cast<const ExchangeState*>(exchange.notes[slot_]);
  if (state != nullptr && state->is_in_burst) ClaimReader::leave_burst(exchange, plan_.serial());
}

void AffinityModule::count(const AffinityFacts& facts) noexcept {
  Counter*& counter =
      counters_[static_cast<std::size_t>(facts.outcome)][static_cast<std::size_t>(facts.cause)];
  if (counter == nullptr) [[unlikely]]
    counter = &counter_for(facts);
  counter->add();
}

Counter& AffinityModule::counter_for(const AffinityFacts& facts) {
  return worker_.metrics().counter("limpet_affinity_total",
                                   {{"pool", settings_.pool_name},
                                    {"outcome", std::string(name_of(facts.outcome))},
                                    {"cause", std::string(name_of(facts.cause))}});
}

}  // namespace limpet::affinity
