// SPDX-License-Identifier: Apache-2.0
#pragma once
// SessionRecord: what has to be known of a session so that it can be opened again on another
// replica: how it began, what the client has set since, and where it lives now. No credential is
// ever part of it, only a key that tells whether two are the same. session_store.h keeps them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "modules/mcp/rpc_message.h"

namespace limpet::mcp {

/// What an InitializeResult says that a client relies on.
struct ServerFacts {
  std::string protocol_version;
  std::string capabilities;  ///< raw object
  std::string name;          ///< serverInfo.name
  std::string version;       ///< serverInfo.version
};
/// Reads the result of an initialize.
/// Errors: nothing where it is no object with a protocol version.
[[nodiscard]] std::optional<ServerFacts> read_initialize_result(std::string_view result);

/// Who sends a request (principal.h).
struct Presented {
  std::uint64_t principal = 0;   ///< 0 = unknown
  std::uint64_t credential = 0;  ///< of the whole credential; 0 = none
};

/// How a session began. Never changes.
struct SessionBirth {
  std::string initialize;    ///< the request's body, to be sent again
  std::string request_id;    ///< its id, raw
  std::string target = "/";  ///< of that request: where the server's one endpoint is
  std::string client_name;
  std::string client_version;
  ServerFacts server;
  Presented by;  ///< who opened it
};
/// Makes the birth of an initialize request, the result that answered it, and whose it was.
/// Errors: nothing where either is not what it should be.
[[nodiscard]] std::shared_ptr<const SessionBirth> make_birth(const RpcMessage& request,
                                                             std::string_view body,
                                                             std::string_view result,
                                                             const Presented& by,
                                                             std::string_view target = "/");

/// Where a session lives.
struct SessionHome {
  std::string replica;            ///< its id
  std::string original_id;        ///< as that replica knows the session
  WallSeconds since{};            ///< when it was opened there
  std::uint64_t incarnation = 0;  ///< what the replica reported of itself then, 0 = nothing
  std::uint32_t moves = 0;        ///< 0 = where it began, as the id that the client holds says
};
/// Whether the replica, last seen dead at `last_dead` and reporting `incarnation` now, is still the
/// one that the session was opened on. A restarted one has forgotten it.
[[nodiscard]] bool is_same_life(const SessionHome& home, WallSeconds last_dead,
                                std::uint64_t incarnation) noexcept;

struct SessionRecord {
  std::shared_ptr<const SessionBirth> birth;  ///< null where the session cannot be carried over
  SessionHome home;
  std::string level{};                       ///< of the last logging/setLevel; empty = none
  std::vector<std::string> subscriptions{};  ///< URIs, each once
  /// Whose the session is (bind_to), where its id does not say so by itself; 0 = nobody's.
  std::uint64_t principal = 0;

  /// The memory that the record takes, about.
  [[nodiscard]] std::size_t bytes() const noexcept;
};

/// Whether `presented` may be given the session that `birth` began, when it has to be opened anew.
/// A replica that is alive and denies the session may deny it to this caller only; one that is dead
/// denied nobody, and tokens are renewed.
enum class Denial : std::uint8_t { kReplicaGone, kReplicaDenies };
[[nodiscard]] bool may_carry_for(const SessionBirth& birth, const Presented& presented,
                                 Denial denial) noexcept;

}  // namespace limpet::mcp
