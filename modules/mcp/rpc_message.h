// SPDX-License-Identifier: Apache-2.0
#pragma once
// RpcMessage: what a request's body says in JSON-RPC 2.0, as far as limpet needs it: which call it
// is, whose answer it awaits, what of it a session would have to be told again, and whether it may
// be sent twice. It judges no message: what it cannot read goes to the replica as it came. The
// other direction is rpc_answer.h.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace limpet::mcp {

/// The largest body that is read; a larger one is kUnreadable and passes untouched.
inline constexpr std::size_t kMessageBytesMax = 1024 * 1024;
/// The longest id that is repeated in an answer.
inline constexpr std::size_t kIdBytesMax = 256;

enum class RpcKind : std::uint8_t {
  kUnreadable,    ///< no JSON-RPC, too large, or to be read in two ways
  kRequest,       ///< a method and an id: an answer is awaited
  kNotification,  ///< a method without an id
  kResponse,      ///< the client's answer to a request of its replica
  kBatch,         ///< several messages in an array (revisions before 2025-06-18)
};

/// The methods that limpet treats in a way of their own.
enum class RpcMethod : std::uint8_t {
  kOther,
  kInitialize,
  kInitialized,
  kPing,
  kSetLevel,
  kSubscribe,
  kUnsubscribe,
  kCallTool,
  kDiscover,
  kListen,
};

/// One message.
/// Lifetime: views are of the body; strings are copies with escapes resolved.
struct RpcMessage {
  RpcKind kind = RpcKind::kUnreadable;
  RpcMethod method = RpcMethod::kOther;
  std::string method_text;
  std::string_view id;             ///< raw: a number or a quoted text; empty where none, or null
  std::string name;                ///< params.name: the tool or prompt
  std::string uri;                 ///< params.uri of resources/subscribe and resources/read
  std::string level;               ///< params.level of logging/setLevel
  std::string protocol_version;    ///< params.protocolVersion of initialize, else that of _meta
  std::string client_name;         ///< params.clientInfo of initialize, else that of _meta
  std::string client_version;      ///< likewise
  std::string_view capabilities;   ///< raw params.capabilities of initialize
  std::string_view meta;           ///< raw params._meta
  std::string_view notifications;  ///< raw params.notifications of subscriptions/listen
  bool claims_modern = false;      ///< _meta names a protocol version (2026-07-28 and later)
};

/// Reads a body.
/// Errors: kUnreadable. Cost: a pass over the body, a second one over params where the method is
/// one of RpcMethod's or names something.
[[nodiscard]] RpcMessage read_message(std::string_view body);

/// Which method that is.
[[nodiscard]] RpcMethod method_of(std::string_view text) noexcept;

/// Whether the call may be sent once more although it may have been processed: it reads, or sets
/// what it would set again. A tools/call never may, nor a batch, nor what could not be read.
[[nodiscard]] bool is_safe_to_repeat(const RpcMessage& message) noexcept;

/// The JSON-RPC error that answers `id` (raw; empty for null).
[[nodiscard]] std::string error_body(std::string_view id, std::int64_t code,
                                     std::string_view message);

}  // namespace limpet::mcp
