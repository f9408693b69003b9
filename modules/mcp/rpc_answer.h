// SPDX-License-Identifier: Apache-2.0
#pragma once
// RpcAnswer: what a replica's answer says in JSON-RPC: a result, an error, or neither. Read from a
// body that is JSON, and from one event of a stream (sse_scanner.h finds them). What follows from
// it decide lost_session.h, handshake.h and modern.h.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace limpet::mcp {

/// How the body of a response is written.
enum class BodyForm : std::uint8_t { kOther, kJson, kEvents };
/// Says it from the Content-Type, parameters disregarded.
[[nodiscard]] BodyForm form_of(std::string_view content_type) noexcept;

struct RpcAnswer {
  enum class Kind : std::uint8_t {
    kNone,   ///< no JSON-RPC message
    kOther,  ///< a request or a notification of the replica
    kResult,
    kError,
  };
  Kind kind = Kind::kNone;
  bool has_id = false;      ///< an id that is a number or a text
  std::string_view id;      ///< raw
  std::string_view result;  ///< raw, of kResult
  std::int64_t code = 0;    ///< of kError; 0 where it is no whole number
  std::string message;      ///< of kError
  std::string_view data;    ///< raw, of kError; empty where missing
};

/// Reads one JSON-RPC message.
/// Lifetime: views are of `json`.
[[nodiscard]] RpcAnswer read_answer(std::string_view json);

/// The JSON in a body: the whole of it, or the data of the first event with data in a stream;
/// empty where there is none. `holder` keeps what had to be put together.
[[nodiscard]] std::string_view json_in(BodyForm form, std::string_view body, std::string& holder);

}  // namespace limpet::mcp
