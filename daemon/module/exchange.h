// SPDX-License-Identifier: Apache-2.0
#pragma once
// Exchange: the facts of one request and its response, as modules see them. The machine that
// carries it is the relay (proxy/relay.h), which modules do not see; so a module is tested without
// a socket. Texts live in the exchange's arena.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/arena.h"
#include "daemon/base/clock.h"
#include "daemon/http/message.h"
#include "daemon/metrics/counter.h"
#include "daemon/module/failure.h"
#include "daemon/module/pool.h"
#include "daemon/module/prelude.h"
#include "daemon/module/session.h"
#include "daemon/module/stream_hooks.h"

namespace limpet {

/// What affinity did with a request (DESIGN: every request has one).
enum class Outcome : std::uint8_t { kNone, kHit, kNew, kMoved, kWaited, kRefused };
/// Why it was not simply a hit.
enum class Cause : std::uint8_t {
  kNone,
  kGone,
  kDown,
  kFull,
  kDraining,
  kExpired,
  kInvalid,
  kForeign
};
inline constexpr std::size_t kOutcomes = 6;
inline constexpr std::size_t kCauses = 8;
[[nodiscard]] std::string_view name_of(Outcome outcome) noexcept;
[[nodiscard]] std::string_view name_of(Cause cause) noexcept;

/// Affinity's verdict on one exchange.
struct AffinityFacts {
  Outcome outcome = Outcome::kNone;
  Cause cause = Cause::kNone;
  std::string_view
      source;  ///< the rule that spoke: "cookie", "mcp", "header:x-user"; static or the plan's
};

/// Something a module remembers for as long as a client connection lives, such as the token opened
/// last.
struct ConnectionNote {
  virtual ~ConnectionNote() = default;
};

/// The facts of the client's connection.
/// Lifetime: the connection's; outlives its exchanges.
struct ClientFacts {
  std::string_view address;  ///< the peer, or what a trusted proxy said, without port
  std::uint16_t port = 0;
  std::string_view listener;     ///< its name
  std::string_view tls_subject;  ///< of the client's certificate (RFC 4514 text), or empty
  bool is_secure = false;        ///< TLS on the client side (or a trusted proxy said https)
  bool is_trusted = false;       ///< in the listener's `trusted` networks
  /// The note that `owner` (a module's plan) left here, or null.
  [[nodiscard]] ConnectionNote* note_of(const void* owner) const noexcept {
    for (const auto& [who, note] : notes) {
      if (who == owner) return note.get();
    }
    return nullptr;
  }
  /// Leaves a note, in place of an earlier one of the same owner.
  void leave_note(const void* owner, std::unique_ptr<ConnectionNote> note) {
    for (auto& [who, held] : notes) {
      if (who == owner) {
        held = std::move(note);
        return;
      }
    }
    if (notes.size() >= kNotesMax)
      notes.erase(notes.begin());  // plans of older generations go first
    notes.emplace_back(owner, std::move(note));
  }

  static constexpr std::size_t kNotesMax = 4;
  std::vector<std::pair<const void*, std::unique_ptr<ConnectionNote>>> notes;
};

/// An answer that limpet gives by itself. Texts live in the arena or are static.
struct Answer {
  std::uint16_t status = 0;   ///< 0 = none
  std::string_view detail{};  ///< one sentence for the user; the standard body is made around it
  std::string_view body{};    ///< a whole body in place of the standard one
  std::string_view content_type{};      ///< of `body`
  std::string_view location{};          ///< of a redirect
  std::chrono::seconds retry_after{0};  ///< 0 = no Retry-After
  /// Makes `body` out of the request's body (as far as it fits limits.buffer_bytes), for protocols
  /// whose errors repeat something of the request. The relay waits for that body, then calls this
  /// with it; the result lives in the arena.
  std::string_view (*make_body)(Arena& arena, std::string_view request_body) = nullptr;
};

/// One try on one replica.
struct Attempt {
  const Replica* replica;
  FailureCause failure;
  bool may_be_tried_again;  ///< its answer was no failure of the replica's
  Duration connect;         ///< zero on a kept connection
};

/// The moments of an exchange; kNever where one did not come.
struct Times {
  Instant started = kNever;     ///< request head complete
  Instant selected = kNever;    ///< replica chosen (after any waiting)
  Instant sent = kNever;        ///< request head written to the replica
  Instant first_byte = kNever;  ///< response head of the replica
  Instant done = kNever;
  Duration queued{0};  ///< waiting for a replica
};

/// How an exchange ended, seen from each side: two readable words in the log.
enum class Ending : std::uint8_t {
  kComplete,
  kAnswered,
  kClientGone,
  kClientSlow,
  kReplicaFailed,
  kReplicaSlow,
  kRefused,
  kShutdown
};
[[nodiscard]] std::string_view name_of(Ending ending) noexcept;

/// One request and its response.
/// Lifetime: from the request head to the end of the done phase. Thread: its worker.
struct Exchange {
  static constexpr std::size_t kAttemptsMax = 8;
  static constexpr std::size_t kNotesMax = 16;

  Exchange(Arena& memory, ClientFacts& from, RequestHead& head) noexcept
      : arena(memory), client(from), request(head) {}

  Arena& arena;
  ClientFacts& client;
  RequestHead& request;
  ResponseHead* response =
      nullptr;  ///< set from the response phase on; also for limpet's own answers
  const PoolFacts* pool = nullptr;   ///< null where no pool is concerned (redirects, unknown host)
  const Replica* replica = nullptr;  ///< the chosen one
  std::string_view request_id;       ///< set by request_id; empty without that module
  std::string_view client_address;   ///< the client's address as the outside world sees it
  AffinityFacts affinity;
  Answer answer;  ///< set in a phase and settled: limpet answers by itself
  Times times;
  std::uint64_t request_body_bytes = 0;
  std::uint64_t response_body_bytes = 0;
  std::uint16_t status = 0;  ///< sent to the client; 0 = nothing was
  Ending ending = Ending::kComplete;
  /// Select is asked again because a wait ended without the wished-for replica.
  bool is_waiting_over = false;
  bool is_request_body_whole = false;  ///< of request_body
  std::uint8_t attempts_count = 0;
  const Replica* waited_for =
      nullptr;  ///< the replica of the wait that ended; null = that wait was for any replica
  /// How much of the request's body a module wants to see before select; set in the request phase.
  /// What was seen is kept, so that the request can be sent again.
  std::size_t body_wanted_bytes = 0;
  std::string_view request_body;  ///< as far as it was kept
  Prelude* prelude = nullptr;  ///< set in the request or select phase: finished before the exchange
                               ///< goes on; the relay takes it away
  SessionFacts session;
  SessionCarrier* carrier = nullptr;      ///< set in the request phase
  SessionSealer* sealer = nullptr;        ///< set in select
  AnswerJudge* answer_judge = nullptr;    ///< set in the request or select phase
  ResponseHook* response_hook = nullptr;  ///< set in the response phase
  StreamDoor* door = nullptr;             ///< the relay's; null in tests of modules
  /// What is put into a response that says nothing for so long, between its events; set in the
  /// response phase.
  Duration keep_alive_every = kForever;
  std::string_view keep_alive_bytes;
  Counter* keep_alives = nullptr;              ///< counts them; null where nobody does
  std::array<Attempt, kAttemptsMax> attempts;  ///< as many of them as that; the rest is not written
  /// One place a module of the chain, numbered by ModuleServices::slot; for arena memory, so
  /// nothing is freed.
  std::array<void*, kNotesMax> notes{};

  [[nodiscard]] bool was_tried(const Replica& replica_asked) const noexcept {
    for (std::size_t i = 0; i < attempts_count; ++i) {
      // The id decides: a reload may have made a new Replica of the same server.
      if (attempts[i].may_be_tried_again) continue;
      if (attempts[i].replica == &replica_asked || attempts[i].replica->id == replica_asked.id)
        return true;
    }
    return false;
  }
};

}  // namespace limpet
