// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/session_sealer.h"

#include <algorithm>

#include "daemon/module/exchange.h"
#include "modules/affinity/token_text.h"

namespace limpet::affinity {

namespace {

// Behind the original id, in octets that no header field can hold.
constexpr std::string_view kMark{"\0p", 2};

}  // namespace

std::string_view bound_text(const Exchange& exchange, const PrincipalRule& binding,
                            std::string_view original_id) {
  if (binding.kind == PrincipalRule::Kind::kOff) return original_id;
  std::uint64_t principal =
      principal_of(exchange.request.fields, exchange.client.tls_subject, binding);
  char octets[sizeof principal];
  for (char& octet : octets) {
    octet = static_cast<char>(principal & 0xffU);
    principal >>= 8U;
  }
  return exchange.arena.join(original_id, kMark, std::string_view(octets, sizeof octets));
}

TokenFacts Sealer::facts_of(const Replica& replica) const noexcept {
  return facts_for(replica, replica_mark(replica.id), settings_.rules, worker_.wall_now());
}

std::string_view Sealer::seal(Exchange& exchange, std::string_view original_id) {
  if (original_id.empty() || exchange.replica == nullptr) return {};
  const TokenFacts facts = facts_of(*exchange.replica);
  char* const token = exchange.arena.allocate_text(kTokenLetters);
  const std::string_view bound = bound_text(exchange, settings_.binding.rule(), original_id);
  if (!box_.seal(facts, Purpose::kSession, bound, token)) return {};
  count(*exchange.replica);
  return exchange.arena.join(std::string_view(token, kTokenLetters), "-", original_id);
}

// A cell of the ledger is used again every kBuckets buckets: a session older than that is in no
// count any more.
void Sealer::count(const Replica& replica) noexcept {
  const std::uint32_t now = session_bucket(worker_.wall_now());
  const std::uint32_t bucket = std::min(now, session_bucket(facts_of(replica).last_seen));
  if (now - bucket >= SessionLedger::kBuckets) return;
  replica.vitals->share(worker_.worker()).note_session(SessionKind::kId, bucket, +1);
}

}  // namespace limpet::affinity
