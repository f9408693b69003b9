// SPDX-License-Identifier: Apache-2.0
// AffinityPlan::explain: the same questions that a worker asks of a request, asked of one value,
// and answered in sentences.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/base/units.h"
#include "daemon/http/mcp_head.h"
#include "modules/affinity/affinity_plan.h"
#include "modules/affinity/cookie_tokens.h"
#include "modules/affinity/replica_table.h"

namespace limpet::affinity {

namespace {

std::string iso(WallSeconds when) {
  const std::time_t seconds = when.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// "3m ago": to the largest whole unit.
std::string ago(WallSeconds when, WallSeconds now) {
  using std::chrono::seconds;
  seconds age = now - when;
  if (age < seconds(0)) return print_duration(-age) + " in the future";
  for (const seconds unit : {seconds(86400), seconds(3600), seconds(60)}) {
    if (age >= unit) return print_duration(age - age % unit) + " ago";
  }
  return print_duration(age) + " ago";
}

std::string print_key_id(int id) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%02x", static_cast<unsigned>(id));
  return text.data();
}

// How a replica stands, without the limits of balance and without an exchange.
Cause cause_of(const Replica& replica, Instant now) noexcept {
  const Vitals& vitals = *replica.vitals;
  const AdminState admin = vitals.admin.load(std::memory_order_relaxed);
  if (admin == AdminState::kDown ||
      vitals.health.load(std::memory_order_relaxed) == Health::kDown || vitals.is_ejected(now)) {
    return Cause::kDown;
  }
  return admin == AdminState::kDrain ? Cause::kDraining : Cause::kNone;
}

std::string state_of(const Replica& replica, Instant now) {
  const Vitals& vitals = *replica.vitals;
  std::string text = "replica " + replica.id + " is ";
  switch (vitals.health.load(std::memory_order_relaxed)) {
    case Health::kUp:
      text += "up";
      break;
    case Health::kDown:
      text += "down";
      break;
    case Health::kUnproven:
      text += "not proven yet";
      break;
  }
  switch (vitals.admin.load(std::memory_order_relaxed)) {
    case AdminState::kReady:
      break;
    case AdminState::kDrain:
      text += ", draining";
      break;
    case AdminState::kDown:
      text += ", taken down by the operator";
      break;
  }
  if (vitals.is_ejected(now)) text += ", ejected after failures";
  return text + "; " + std::to_string(vitals.in_flight()) + " requests in flight";
}

// One question under answer.
class Explainer {
 public:
  Explainer(const AffinitySettings& settings, const ExplainQuestion& question,
            const PoolFacts& pool, ExplainAnswer& answer)
      : settings_(settings),
        question_(question),
        pool_(pool),
        answer_(answer),
        now_(monotonic_now()) {}

  void explain_cookie() {
    const Source* source = source_of(Source::Kind::kCookie, {});
    if (source == nullptr) return;
    const std::string& name = settings_.cookie->name();
    answer_.rule = "cookie " + name;
    std::string_view value = question_.value;
    if (value.starts_with(name + "=")) value.remove_prefix(name.size() + 1);
    const bool is_twin = settings_.twin_cookie && question_.name == settings_.twin_cookie->name();
    if (!question_.name.empty() && question_.name != name && !is_twin) {
      return say_none("this pool does not read the cookie " + text::escaped(question_.name) +
                      ", but " + name);
    }
    if (settings_.has_sessions)
      note("a POST of MCP is placed by its session id or anew, whatever cookie it comes with");
    explain_token(*source, own_token(value), Purpose::kCookie, {});
  }

  void explain_session() {
    const Source* source = source_of(Source::Kind::kSession, {});
    if (source == nullptr) return;
    answer_.rule = "mcp session id";
    std::string_view id = question_.value;
    // The URI of a legacy session, as its client posts to it.
    if (const QueryValue at = find_session_id(id); at.bytes > 0) id = id.substr(at.begin, at.bytes);
    if (settings_.is_learning) {
      return say_none(
          "session_ids = \"learn\": the id is the replica's own, and where it lives is remembered, "
          "not written in it");
    }
    if (id.size() < kTokenLetters + 2 || id[kTokenLetters] != '-') {
      note("it is not of the form that limpet gives session ids: " + std::to_string(kTokenLetters) +
           " letters and digits, \"-\", and the replica's own id");
      return say_policy(Cause::kInvalid, *source);
    }
    const std::string_view original = id.substr(kTokenLetters + 1);
    note("the replica knows the session as " + text::escaped(original));
    if (settings_.binding.kind != PrincipalRule::Kind::kOff) {
      return say_none(
          "bind_to: the id opens only in a request of whoever opened the session, and is unknown "
          "in "
          "any other");
    }
    explain_token(*source, id.substr(0, kTokenLetters), Purpose::kSession, original);
  }

  void explain_key(Source::Kind kind) {
    const Source* source = source_of(kind, text::to_lower(question_.name));
    if (source == nullptr) return;
    answer_.rule = source->label;
    const std::uint64_t key = asked_key(*source);
    if (key == 0) return say_none("such a value ties a request to nothing");
    const ReplicaTable table(pool_);
    const std::uint32_t owner = table.first_of(key, [](std::uint32_t) { return true; });
    if (owner == kNoReplica) return say_none("no replica of the pool has a weight above 0");
    const Replica& replica = pool_.replicas[owner];
    answer_.replica = replica.id;
    note("the hash of the value puts " + replica.id + " first");
    if (kind == Source::Kind::kPrincipal) {
      note(source->principal.kind == PrincipalRule::Kind::kCertificate
               ? "the listener has verified the certificate whose subject it is"
               : "the claim is not verified here: it decides about the place and nothing else");
      note("while that replica has more than its part of the load, the next one takes the request");
    }
    note(state_of(replica, now_));
    say_standing(*source, replica);
    const std::uint32_t next = table.first_of(key, [&](std::uint32_t i) { return i != owner; });
    note(next == kNoReplica ? "there is no other replica to take its place"
                            : "if it were gone: " + pool_.replicas[next].id + " is next");
  }

 private:
  // Of the tokens in a cookie that pools share the one that is this pool's, else the first.
  std::string_view own_token(std::string_view value) {
    TokenBox box(settings_.keys->keys());
    CookieTokens tokens(value);
    while (const std::optional<std::string_view> token = tokens.next()) {
      TokenFacts facts;
      if (box.open(*token, Purpose::kCookie, {}, facts) == Opening::kOpened &&
          facts.pool == settings_.rules.pool)
        return *token;
    }
    return *CookieTokens(value).next();
  }

  const Source* source_of(Source::Kind kind, const std::string& name) {
    for (const Source& source : settings_.sources) {
      const bool is_named =
          source.kind != Source::Kind::kHeader && source.kind != Source::Kind::kQuery;
      if (source.kind == kind && (is_named || name.empty() || text::to_lower(source.name) == name))
        return &source;
    }
    std::string list;
    for (const Source& source : settings_.sources)
      list += (list.empty() ? "\"" : ", \"") + source.label + "\"";
    say_none("pool " + settings_.pool_name + " has affinity from = [" + list + "]");
    return nullptr;
  }

  // The key that the value would have in a request; 0 where it says nothing.
  [[nodiscard]] std::uint64_t asked_key(const Source& source) const {
    const std::string_view value = question_.value;
    if (source.kind == Source::Kind::kPrincipal) {
      if (source.principal.kind == PrincipalRule::Kind::kHeader) return header_principal(value);
      if (source.principal.kind == PrincipalRule::Kind::kCertificate)
        return certificate_principal(value);
      const std::string_view token = bearer_token(value);
      return jwt_principal(token.empty() ? value : token);
    }
    if (!source.name.starts_with(kParameterPrefix)) return value.empty() ? 0 : key_of(value);
    const std::optional<std::string> decoded = decoded_value(value);
    return !decoded || decoded->empty() ? 0 : key_of(*decoded);
  }

  void explain_token(const Source& source, std::string_view token, Purpose purpose,
                     std::string_view bound) {
    TokenBox box(settings_.keys->keys());
    TokenFacts facts;
    const Opening opening = box.open(token, purpose, bound, facts);
    const int id = TokenBox::key_id(token);
    if (opening != Opening::kOpened) {
      note(opening == Opening::kMalformed ? std::string("it is not a token of limpet's")
           : opening == Opening::kUnknownKey
               ? "it names the key " + print_key_id(id) + ", which is not among the keys here"
               : "it does not verify: altered, bound to another session id, or sealed with a key "
                 "that is not here");
      return say_policy(Cause::kInvalid, source);
    }
    note("sealed " + iso(facts.issued) + " (" + ago(facts.issued, question_.now) + ") with key " +
         print_key_id(id));
    note("last seen " + ago(facts.last_seen, question_.now));
    const Cause cause = judge_token(facts, settings_.rules, question_.now);
    if (cause == Cause::kForeign) note("it was sealed for another pool");
    if (cause == Cause::kExpired) note("it is older than idle or absolute allow");
    if (cause == Cause::kInvalid)
      note("it comes from further in the future than clock_skew allows");
    if (cause != Cause::kNone) return say_policy(cause, source);
    follow(source, facts);
  }

  void follow(const Source& source, const TokenFacts& facts) {
    const ReplicaTable table(pool_);
    const std::uint32_t index = table.index_of(facts.replica);
    if (index == kNoReplica) {
      note("the replica that it names is not in the pool any more");
      return say_policy(Cause::kGone, source);
    }
    const Replica& replica = pool_.replicas[index];
    answer_.replica = replica.id;
    note(state_of(replica, now_));
    if (settings_.rules.is_strict && is_other_life(facts, *replica.vitals)) {
      note("it was sealed for an earlier life of the replica");
      return say_policy(Cause::kGone, source);
    }
    note_death(facts, *replica.vitals);
    say_standing(source, replica);
    note("if it were gone: " + print_policy(settings_.policy_for(Cause::kGone, source.kind)));
  }

  // A refused connect is seen before the probes are sure of it; whether the next one would be
  // refused too, only a request finds out. Both sides are whole seconds.
  void note_death(const TokenFacts& facts, const Vitals& vitals) {
    const WallSeconds died(
        std::chrono::seconds(vitals.last_dead_s.load(std::memory_order_relaxed)));
    if (died < facts.issued) return;
    note("it was seen dead " + ago(died, question_.now) +
         ", when the session was there already: where it still refuses to connect, the request "
         "finds it gone");
  }

  void say_standing(const Source& source, const Replica& replica) {
    const Cause cause = cause_of(replica, now_);
    if (cause == Cause::kNone)
      answer_.verdict = "hit";
    else
      say_policy(cause, source);
  }

  void say_policy(Cause cause, const Source& source) {
    const Policy& policy = settings_.policy_for(cause, source.kind);
    std::string text;
    if (policy.wait > Duration::zero())
      text = "waits up to " + print_duration(policy.wait) + ", then ";
    switch (policy.then) {
      case Measure::kMove:
        text += "moved";
        break;
      case Measure::kKeep:
        text += "hit";
        break;
      case Measure::kRefuse:
        text += "refused " + std::to_string(policy.status);
        break;
    }
    answer_.verdict = text + ": " + std::string(name_of(cause));
  }

  void say_none(std::string why) {
    answer_.verdict = "none";
    note(std::move(why));
  }
  void note(std::string sentence) { answer_.notes.push_back(std::move(sentence)); }

  const AffinitySettings& settings_;
  const ExplainQuestion& question_;
  const PoolFacts& pool_;
  ExplainAnswer& answer_;
  Instant now_;
};

}  // namespace

void AffinityPlan::explain(const ExplainQuestion& question, const PoolFacts& pool,
                           ExplainAnswer& answer) const {
  Explainer explainer(settings_, question, pool, answer);
  answer.is_answered = true;
  if (question.kind == "cookie") return explainer.explain_cookie();
  if (question.kind == "session") return explainer.explain_session();
  if (question.kind == "header") return explainer.explain_key(Source::Kind::kHeader);
  if (question.kind == "query") return explainer.explain_key(Source::Kind::kQuery);
  if (question.kind == "principal") return explainer.explain_key(Source::Kind::kPrincipal);
  if (question.kind == "client-ip") return explainer.explain_key(Source::Kind::kClientAddress);
  answer.is_answered = false;
}

}  // namespace limpet::affinity
